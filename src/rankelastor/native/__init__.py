"""Kernels in C, built once for this processor, for layers and for lazily updated embedding rows."""
