"""Kernels in Triton are tested in its interpreter where there is no GPU, and not at all where there is no Triton."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import torch

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # it is read when Triton is imported

_KERNELS = Path(__file__).parent / "src/rankelastor/execution/cuda_kernels"
collect_ignore = [] if find_spec("triton") else [str(_KERNELS / name) for name in ("gated.py", "look_up.py")]
