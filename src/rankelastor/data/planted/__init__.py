"""A synthetic click log with planted interactions: its truth is settable and known, and its rows never end."""
