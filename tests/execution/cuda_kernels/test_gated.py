"""Biases, activation and gate in one pass are those of PyTorch's operations, and so are all their gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.execution.cuda_kernels.device import DEVICE
from tests.execution.cuda_kernels.on_other_gpus import require_compiled
from torch import Tensor
from torch.nn.functional import gelu, relu, silu

from rankelastor.execution.cuda_kernels.gated import gated

TOKENS = 2
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": gelu, "silu": silu, "relu": relu}


def by_pytorch(lifted: Tensor, bias: Tensor, maps: int, num_direct: int, activation: str) -> tuple[Tensor, Tensor]:
    whole = lifted + bias.unsqueeze(1)
    inner = (lifted.shape[2] - num_direct) // maps
    a, b, c = (whole[..., number * inner : (number + 1) * inner] for number in range(3))
    result = ACTIVATIONS[activation](a)
    if maps == 3:
        result = result + c
    if maps >= 2:
        result = result * b
    return result, whole[..., maps * inner :]


def drawn(rows: int, width: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows)
    lifted = torch.randn(TOKENS, rows, width, generator=generator).to(DEVICE, dtype)
    bias = torch.randn(TOKENS, width, generator=generator).to(DEVICE)
    return lifted.requires_grad_(), bias.requires_grad_()


def with_gradients(results: tuple[Tensor, Tensor], inputs: tuple[Tensor, Tensor]) -> list[Tensor]:
    upstream = [torch.linspace(-1, 2, max(1, each.numel())).to(each)[: each.numel()].view_as(each) for each in results]
    return [*results, *torch.autograd.grad(results, inputs, upstream)]


def require_near(ours: list[Tensor], exact: list[Tensor], *, error: float) -> None:
    for place, (mine, precise) in enumerate(zip(ours, exact, strict=True)):
        distance = float((mine.double() - precise).detach().norm())
        assert distance <= error * float(precise.detach().norm()), place


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("maps", [1, 2, 3])
@pytest.mark.parametrize(("rows", "inner", "num_direct"), [(1, 1, 1), (7, 5, 0), (130, 129, 3), (257, 128, 3)])
def test_results_and_gradients_are_those_of_pytorch_in_double_precision(
    rows: int, inner: int, num_direct: int, maps: int, activation: str
) -> None:
    inputs = drawn(rows, maps * inner + num_direct)
    ours = with_gradients(gated(*inputs, maps, num_direct, activation), inputs)
    precise = (inputs[0].detach().double().requires_grad_(), inputs[1].detach().double().requires_grad_())
    exact = with_gradients(by_pytorch(*precise, maps, num_direct, activation), precise)
    require_near(ours, exact, error=1e-6)


def test_bf16_is_rounded_at_the_end_alone() -> None:
    inputs = drawn(40, 3 * 20 + 4, torch.bfloat16)
    ours = with_gradients(gated(*inputs, 3, 4, "gelu"), inputs)
    precise = (inputs[0].detach().double().requires_grad_(), inputs[1].detach().double().requires_grad_())
    exact = with_gradients(by_pytorch(*precise, 3, 4, "gelu"), precise)
    assert [each.dtype for each in ours] == [torch.bfloat16, torch.bfloat16, torch.bfloat16, torch.float32]
    require_near(ours, exact, error=2.0**-8)


def test_by_hand() -> None:
    """(c + relu(a)) * b with a = 1 + 1, b = 2 + 1, c = -1 + 0, and 5 + 2 behind them."""
    lifted = torch.tensor([[[1.0, 2.0, -1.0, 5.0]]], device=DEVICE)
    out, direct = gated(lifted, torch.tensor([[1.0, 1.0, 0.0, 2.0]], device=DEVICE), 3, 1, "relu")
    assert (out.item(), direct.item()) == (3.0, 7.0)


def test_values_that_are_not_finite_stay_so_and_touch_no_other_row() -> None:
    lifted, bias = (each.detach() for each in drawn(20, 12))
    lifted[0, 3] = torch.nan
    lifted[1, 4, 5] = torch.inf
    out, _ = gated(lifted, bias, 3, 0, "gelu")
    seen = ~out.isfinite().flatten(2).all(dim=2)
    assert seen.nonzero().tolist() == [[0, 3], [1, 4]]


def test_the_kernels_compile_for_gpus_that_are_not_here() -> None:
    kinds = {"bias": "*fp32", "d_bias": "*fp32", "rows": "i32"}
    sizes = {"inner": 24, "num_direct": 8, "maps": 3, "activation": "gelu", "block_rows": 8, "block_columns": 128}
    require_compiled("gated", "_gated_forward", kinds=kinds, others="*bf16", constants=sizes)
    require_compiled("gated", "_gated_backward", kinds=kinds, others="*bf16", constants={**sizes, "num_steps": 16})
