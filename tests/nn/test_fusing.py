from typing import Any, ClassVar

import torch
from torch import Tensor

from rankelastor.nn.fusing import applied


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
    out = applied(Square, x)
    assert torch.autograd.grad(out.sum(), x)[0].item() == 6
    applied(Square, x.detach())
    with torch.no_grad():
        assert applied(Square, x).item() == 9
    with torch.inference_mode():
        assert not applied(Square, x).requires_grad
    assert Square.keeps == [True, False, False, False]
