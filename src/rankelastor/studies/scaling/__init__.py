"""How the loss falls with size: fits of a power law, their intervals, and where two curves cross."""
