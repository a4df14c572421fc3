"""Layers over the elements of sequences."""
