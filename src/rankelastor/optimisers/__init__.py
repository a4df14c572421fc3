"""Optimisers beyond those of PyTorch."""
