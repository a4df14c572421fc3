"""What tests of the kernels look at."""

import pytest
import torch
from torch import Tensor, nn

from rankelastor.native.library import kernels
from rankelastor.nn.random_bytes import random_bytes_from


def needs_kernels() -> None:
    """Skip where there is no C compiler to build them."""
    if kernels() is None:
        pytest.skip("needs a C compiler")


def results(module: nn.Module, x: Tensor) -> list[Tensor]:
    """The output, and the gradients of the input and all parameters."""
    with random_bytes_from(3):
        out = module(x)
        weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
        return [out, *torch.autograd.grad((out * weights).sum(), [x, *module.parameters()])]
