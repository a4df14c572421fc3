"""Modules that somebody has changed after they were built: kernels leave what they cannot compute to PyTorch."""

from collections.abc import Callable

import pytest
import torch
from rankelastor.nn.gate import PublishedGate
from tests.native.kernel_results import needs_kernels, results
from torch import nn

from rankelastor.native import library
from rankelastor.native.library import SWITCH
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.ffn import PerTokenMlp
from rankelastor.nn.mixing import FullMixing, SplitMixing
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.per_token import PerTokenLinear
from rankelastor.nn.projection import Projection

TOKENS, DIM = 2, 4


@pytest.fixture(autouse=True)
def _with_kernels() -> None:
    needs_kernels()


def full_mixing(norm: nn.Module) -> nn.Module:
    mixing = FullMixing(num_tokens=TOKENS, token_dim=DIM)
    mixing.norm = norm  # type: ignore[assignment]
    return mixing


def split_mixing(norm: nn.Module) -> nn.Module:
    mixing = SplitMixing(num_tokens=TOKENS, token_dim=DIM)
    mixing.norm = norm  # type: ignore[assignment]
    return mixing


def projection(**changed: nn.Module) -> nn.Module:
    module = Projection(in_dim=DIM, hidden_dims=[8], out_dim=3)
    for place, step in changed.items():
        module[int(place.removeprefix("step"))] = step
    return module


def mlp_with_another_gelu() -> nn.Module:
    mlp = PerTokenMlp(num_tokens=TOKENS, token_dim=DIM, hidden_dims=[8])
    mlp[1] = nn.GELU(approximate="tanh")
    return mlp


CHANGED: dict[str, Callable[[], nn.Module]] = {
    "full mixing, LayerNorm": lambda: full_mixing(nn.LayerNorm(TOKENS * DIM)),
    "full mixing, another epsilon": lambda: full_mixing(nn.RMSNorm(TOKENS * DIM, eps=1.0)),
    "full mixing, no norm": lambda: full_mixing(nn.Identity()),
    "split mixing, no norm": lambda: split_mixing(nn.Identity()),
    "split mixing, RMSNorm": lambda: split_mixing(RMSNorm(DIM)),
    "split mixing, no bias": lambda: split_mixing(nn.LayerNorm(DIM, bias=False)),
    "split mixing, no gain": lambda: split_mixing(nn.LayerNorm(DIM, elementwise_affine=False)),
    "projection, no bias": lambda: projection(step0=nn.Linear(DIM, 8, bias=False)),
    "mlp, another GELU": mlp_with_another_gelu,
}


@pytest.mark.parametrize("name", CHANGED)
def test_they_compute_what_pytorch_computes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    module, x = CHANGED[name](), torch.randn(70, TOKENS, DIM, requires_grad=True)
    fast = results(module, x)
    monkeypatch.setenv(SWITCH, "off")
    library._loaded.cache_clear()
    for one, other in zip(fast, results(module, x), strict=True):
        assert torch.isfinite(one).all()
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def test_where_all_is_dropped_no_gradient_is_lost_in_nan() -> None:
    module = projection(step3=Dropout(1.0))
    module(torch.randn(70, TOKENS, DIM)).sum().backward()
    assert all(p.grad is None or bool(torch.isfinite(p.grad).all()) for p in module.parameters())


def gate_with(reduce: PerTokenLinear) -> nn.Module:
    gate = PublishedGate(num_tokens=TOKENS, dim=DIM, inner_dim=12)
    gate.reduce = reduce
    return gate


WRONG: dict[str, Callable[[], nn.Module]] = {
    "gate, inner width": lambda: gate_with(PerTokenLinear(num_tokens=TOKENS, in_dim=11, out_dims=[DIM])),
    "projection, width of down": lambda: projection(step4=nn.Linear(9, 3)),
    "projection, width of the norm": lambda: projection(step1=RMSNorm(2)),
    "full mixing, width": lambda: full_mixing(RMSNorm(3)),
}


@pytest.mark.parametrize("name", WRONG)
def test_sizes_that_do_not_go_together_are_refused(name: str) -> None:
    with pytest.raises((RuntimeError, TypeError)):
        WRONG[name]()(torch.randn(70, TOKENS, DIM))


def test_a_gate_with_weights_of_one_token_stays_within_them() -> None:
    gate = gate_with(PerTokenLinear(num_tokens=1, in_dim=12, out_dims=[DIM]))
    with pytest.raises(RuntimeError):
        gate(torch.randn(70, TOKENS, DIM))
