"""Layers with kernels, without them, and in float64: outputs and all gradients."""

from collections.abc import Callable

import pytest
import torch
from tests.native.kernel_results import needs_kernels, results
from torch import Tensor, nn

from rankelastor.native import calling, library
from rankelastor.native.calling import kernels_divide_rows, num_parts, row_blocks
from rankelastor.native.library import SWITCH, kernels
from rankelastor.nn.ffn import PerTokenGlu, PerTokenMlp
from rankelastor.nn.gate import PublishedGate
from rankelastor.nn.head import MlpHead
from rankelastor.nn.mixing import FullMixing, SplitMixing
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm
from rankelastor.nn.projection import Projection
from rankelastor.nn.random_bytes import random_bytes_from

TOKENS = 3


@pytest.fixture(autouse=True)
def _with_kernels() -> None:
    needs_kernels()


def random_(module: nn.Module) -> nn.Module:
    """All parameters away from their initial values, so that each takes part."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4)
    return module


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "projection": (lambda: Projection(in_dim=5, hidden_dims=[37], out_dim=4), (6, TOKENS, 5)),
    "projection, dropout": (lambda: Projection(in_dim=5, hidden_dims=[37], out_dim=4, dropout=0.3), (6, TOKENS, 5)),
    "projection, no norm": (
        lambda: Projection(in_dim=5, hidden_dims=[37], out_dim=4, norm=False, dropout=0.3),
        (6, TOKENS, 5),
    ),
    "projection, wide": (lambda: Projection(in_dim=80, hidden_dims=[37], out_dim=4, dropout=0.3), (700, 80)),
    "projection, many rows": (lambda: Projection(in_dim=5, hidden_dims=[1900], out_dim=2), (150, 5)),
    "projection, two hidden": (lambda: Projection(in_dim=5, hidden_dims=[9, 7], out_dim=4, dropout=0.3), (6, 5)),
    "gate": (lambda: PublishedGate(num_tokens=TOKENS, dim=7, inner_dim=19), (11, TOKENS, 7)),
    "gate, many rows": (lambda: PublishedGate(num_tokens=TOKENS, dim=5, inner_dim=900), (80, TOKENS, 5)),
    "glu": (lambda: PerTokenGlu(num_tokens=TOKENS, token_dim=7, hidden_dims=[16, 16]), (11, TOKENS, 7)),
    "glu, folded": (lambda: PerTokenGlu(num_tokens=TOKENS, token_dim=7, hidden_dims=[16, 16]), (150, TOKENS, 7)),
    "gate, one row": (lambda: PublishedGate(num_tokens=TOKENS, dim=7, inner_dim=19), (1, TOKENS, 7)),
    "head, one row": (lambda: MlpHead(num_tokens=TOKENS, token_dim=4), (1, TOKENS, 4)),
    "mlp, gelu": (lambda: PerTokenMlp(num_tokens=TOKENS, token_dim=7, hidden_dims=[16, 9]), (150, TOKENS, 7)),
    "mlp, relu": (
        lambda: PerTokenMlp(num_tokens=TOKENS, token_dim=7, hidden_dims=[16], activation="relu", dropout=0.3),
        (11, TOKENS, 7),
    ),
    "mlp, gelu, dropout": (
        lambda: PerTokenMlp(num_tokens=TOKENS, token_dim=7, hidden_dims=[16, 9], dropout=0.3),
        (11, TOKENS, 7),
    ),
    "mlp, wide, two hidden": (
        lambda: PerTokenMlp(num_tokens=TOKENS, token_dim=70, hidden_dims=[16, 9], dropout=0.3),
        (150, TOKENS, 70),
    ),
    "mlp, norm": (
        lambda: PerTokenMlp(num_tokens=TOKENS, token_dim=7, hidden_dims=[16, 9], norm=True, dropout=0.3),
        (11, TOKENS, 7),
    ),
    "mlp, many rows": (lambda: PerTokenMlp(num_tokens=TOKENS, token_dim=5, hidden_dims=[1900]), (150, TOKENS, 5)),
    "glu, dropout": (
        lambda: PerTokenGlu(num_tokens=TOKENS, token_dim=7, hidden_dims=[7, 16], dropout=0.3),
        (150, TOKENS, 7),
    ),
    "gate, wide": (lambda: PublishedGate(num_tokens=TOKENS, dim=70, inner_dim=19), (11, TOKENS, 70)),
    "mlp, tanh": (
        lambda: PerTokenMlp(num_tokens=TOKENS, token_dim=7, hidden_dims=[16], activation="tanh", norm=True),
        (11, TOKENS, 7),
    ),
    "projection, most dropped": (lambda: Projection(in_dim=5, hidden_dims=[37], out_dim=4, dropout=0.998), (6, 5)),
    "mlp, most dropped": (
        lambda: PerTokenMlp(num_tokens=TOKENS, token_dim=7, hidden_dims=[16], dropout=0.998),
        (11, TOKENS, 7),
    ),
    "split mixing": (lambda: SplitMixing(num_tokens=TOKENS, token_dim=6), (150, TOKENS, 6)),
    "full mixing": (lambda: FullMixing(num_tokens=TOKENS, token_dim=5), (150, TOKENS, 5)),
    "full mixing, many rows": (lambda: FullMixing(num_tokens=TOKENS, token_dim=150), (300, TOKENS, 150)),
    "norm": (lambda: RMSNorm(9), (11, 9)),
    "norm of tokens": (lambda: PerTokenRMSNorm(num_tokens=TOKENS, dim=9), (11, TOKENS, 9)),
    "head": (lambda: MlpHead(num_tokens=TOKENS, token_dim=4), (11, TOKENS, 4)),
}


@pytest.mark.parametrize("token_major", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_the_same_with_and_without_kernels_and_in_double(
    name: str, token_major: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    make, shape = LAYERS[name]
    module, x = random_(make()), torch.randn(shape)
    if token_major and x.dim() == TOKENS:
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
    x.requires_grad_()
    fast = results(module, x)
    monkeypatch.setenv(SWITCH, "off")
    library._loaded.cache_clear()
    assert kernels() is None
    slow = results(module, x)
    exact = results(module.double(), x.detach().double().requires_grad_())
    for one, other, precise in zip(fast, slow, exact, strict=True):
        close = 2e-5 * float(precise.detach().abs().max()) + 1e-6
        assert torch.allclose(one.double(), precise, rtol=1e-4, atol=close)
        assert torch.allclose(other.double(), precise, rtol=1e-4, atol=close)


@pytest.mark.parametrize("name", LAYERS)
def test_parts_of_the_rows_on_several_cores_give_what_one_core_gives(name: str) -> None:
    torch.manual_seed(1)
    make, shape = LAYERS[name]
    module, x = random_(make()), torch.randn(200, *shape[1:], requires_grad=True)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert num_parts(200) == 1
        alone = results(module, x)
        torch.set_num_threads(3)
        assert num_parts(200) == 3 or not kernels_divide_rows()
        together = results(module, x)
    finally:
        torch.set_num_threads(before)
    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4 * float(other.detach().abs().max()) + 1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_inputs_and_gradients_that_lie_on_top_of_each_other_are_copied(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    make, shape = LAYERS[name]
    module, once = random_(make()), torch.randn(1, *shape[1:], requires_grad=True)
    odd = torch.randn(shape[1:]).unsqueeze(-1).movedim(-1, 0).requires_grad_()  # one example, at a distance of 1

    def outputs_and_gradients() -> list[Tensor]:
        found = []
        for x, leaf in ((once.expand(5, *shape[1:]), once), (odd, odd)):
            with random_bytes_from(3):
                out = module(x)
            weights = torch.linspace(-1, 1, out[0].numel()).view_as(out[0])
            found += [out, *torch.autograd.grad(out.sum(), leaf, retain_graph=True)]
            found += torch.autograd.grad((out.sum(0) * weights).sum(), list(module.parameters()))
        return found

    fast = outputs_and_gradients()
    monkeypatch.setenv(SWITCH, "off")
    library._loaded.cache_clear()
    for one, other in zip(fast, outputs_and_gradients(), strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4 * float(other.detach().abs().max()) + 1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_wrong_widths_are_refused(name: str) -> None:
    make, shape = LAYERS[name]
    for wrong in (shape[-1] - 1, shape[-1] + 1):
        with pytest.raises((RuntimeError, TypeError)):
            make()(torch.randn(*shape[:-1], wrong, requires_grad=True)).sum().backward()


@pytest.mark.parametrize("name", LAYERS)
def test_weights_with_gaps_go_without_kernels(name: str) -> None:
    torch.manual_seed(1)
    make, shape = LAYERS[name]
    module, x = random_(make()), torch.randn(shape, requires_grad=True)
    expected = results(module, x)
    for owner in module.modules():
        for key, parameter in list(owner.named_parameters(recurse=False)):
            spread = torch.stack([parameter.detach(), torch.zeros_like(parameter)], dim=-1)
            setattr(owner, key, nn.Parameter(spread[..., 0]))
            assert parameter.numel() == 1 or not getattr(owner, key).is_contiguous()
    for one, other in zip(results(module, x), expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4 * float(other.detach().abs().max()) + 1e-5)


def test_hooks_on_the_way_back_are_called() -> None:
    module = Projection(in_dim=5, hidden_dims=[8], out_dim=4)
    calls: list[object] = []
    module[0].register_full_backward_pre_hook(lambda *_: calls.append(1))
    module(torch.randn(6, 5, requires_grad=True)).sum().backward()
    assert calls == [1]


def test_a_gate_and_the_map_after_it_are_one_only_where_that_saves_products(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    gate = PublishedGate(num_tokens=TOKENS, dim=16, inner_dim=48)
    narrow, wide = (PerTokenLinear(num_tokens=TOKENS, in_dim=16, out_dims=[width]) for width in (4, 40))
    calls: list[PerTokenLinear] = []

    def noted(self: PerTokenLinear, tokens: Tensor) -> Tensor:
        calls.append(self)
        return torch.baddbmm(self.bias.unsqueeze(1), tokens.transpose(0, 1), self.weight).transpose(0, 1)

    monkeypatch.setattr(PerTokenLinear, "forward", noted)
    tokens = torch.randn(200, TOKENS, 16)
    gate(tokens, then=narrow)
    assert calls == []
    gate(tokens, then=wide)
    gate(tokens[:2], then=narrow)  # few rows: products of weights would cost more than they save
    assert calls == [wide, narrow]


def test_hooks_on_a_gate_see_the_gate_alone() -> None:
    glu = PerTokenGlu(num_tokens=TOKENS, token_dim=4, hidden_dims=[16])
    seen: list[Tensor] = []
    tokens = torch.randn(200, TOKENS, 4)
    alone = glu(tokens)
    gate = next(step for step in glu if isinstance(step, PublishedGate))
    gate.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    watched = glu(tokens)
    assert seen[0].shape == (200, TOKENS, 4)
    assert torch.allclose(alone, watched, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 15, 16, 1000, 4097])
def test_blocks_are_equal_fit_the_cache_and_cover_all_rows(rows: int) -> None:
    block = row_blocks(rows, floats_a_row=2048, num_weights=10)
    num_blocks = -(-rows // block)
    assert block <= max(16, calling._BLOCK_BYTES // (4 * 2048))
    assert num_blocks * block - rows < num_blocks
