"""Kernels in C: built once for this processor, called by layers and by lazily updated rows."""
