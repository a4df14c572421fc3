from typing import Any, ClassVar

import torch
from torch import Tensor

from rankelastor.execution.kernels.operation import apply, kernels_may_compute


class Square(torch.autograd.Function):
    """Notes each time whether it was asked to keep anything."""

    keeps: ClassVar[list[bool]] = []

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        Square.keeps.append(any(ctx.needs_input_grad))
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        x: Tensor = ctx.saved_tensors[0]
        return 2 * x * gradient


def test_an_operation_keeps_what_it_needs_only_where_a_gradient_is_wanted() -> None:
    x = torch.tensor([3.0], requires_grad=True)
    Square.keeps.clear()
    out = apply(Square, x)
    assert torch.autograd.grad(out.sum(), x)[0].item() == 6
    apply(Square, x.detach())
    with torch.no_grad():
        assert apply(Square, x).item() == 9
    with torch.inference_mode():
        assert not apply(Square, x).requires_grad
    assert Square.keeps == [True, False, False, False]


def test_kernels_compute_on_what_is_on_the_cpu_in_the_weights_precision_and_not_empty() -> None:
    weight, x = torch.ones(3), torch.ones(2, 3)
    assert kernels_may_compute(x, weight)
    for other in (torch.ones(0, 3), x.double(), x.to("meta")):
        assert not kernels_may_compute(other, weight)
    assert not kernels_may_compute(x, None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not kernels_may_compute(x, weight)
