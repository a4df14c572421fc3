"""Kernels in C for the elementwise parts of layers; PyTorch's own operations stand in where they cannot be built."""
