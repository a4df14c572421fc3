"""Layers, one idea per file. They take plain keyword arguments and know nothing of settings."""
