"""Optimisers: how gradients change parameters."""
