"""Kernels for CUDA, written in Triton, in place of parts of plain layers; importing this package registers their rules.

Products stay those of cuBLAS. A rule applies where Triton is installed, which PyTorch's builds for CUDA bring along; it
is imported when a network is lowered for CUDA.
"""

from rankelastor.execution.cuda_kernels import field_embedding, per_token_ffns

__all__ = ["field_embedding", "per_token_ffns"]
