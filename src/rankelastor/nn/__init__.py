"""Layers, one idea a file; plain keyword arguments, blind to settings."""
