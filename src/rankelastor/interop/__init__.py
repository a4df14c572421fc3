"""Settings and weights of other tools."""
