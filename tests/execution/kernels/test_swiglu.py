"""A SwiGLU in a kernel with what stands around it, or alone where something else does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rankelastor.execution.lowering import Lowering
from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu
from rankelastor.nn.ffn.top_k_experts import TopKExperts
from rankelastor.nn.mixing.heads import RevertedHeadMixing

pytestmark = pytest.mark.usefixtures("needs_kernels")


def mixing() -> RevertedHeadMixing:
    torch.manual_seed(1)
    ffn = PerTokenSwiGlu(num_tokens=2, token_dim=6, hidden_dim=5)
    return RevertedHeadMixing(num_tokens=3, token_dim=4, num_heads=2, ffn=ffn)


def test_heads_are_computed_where_they_lie_by_one_call(called_kernels: list[str]) -> None:
    layer, tokens = mixing(), torch.randn(20, 3, 4)
    torch.testing.assert_close(Lowering(layer).current()(tokens), layer(tokens), rtol=1e-5, atol=1e-6)
    assert called_kernels == ["swiglu_forward"]


@pytest.mark.parametrize(
    ("place", "called"),
    [
        ("between", ["swiglu_forward"]),
        ("between.norm", ["rms_norm_forward", "swiglu_forward"]),
        ("between.layer", ["rms_norm_forward", "swiglu_forward"]),
        ("between.layer.up", ["rms_norm_forward"]),
    ],
)
def test_a_hook_inside_sees_its_layer_and_the_rest_is_computed_apart(
    place: str, called: list[str], called_kernels: list[str]
) -> None:
    layer, tokens, seen = mixing(), torch.randn(20, 3, 4), []
    expected = layer(tokens)
    hook: nn.Module = layer.get_submodule(place)
    hook.register_forward_hook(lambda module, _inputs, output: seen.append((module, tuple(output.shape))))
    torch.testing.assert_close(Lowering(layer).current()(tokens), expected, rtol=1e-5, atol=1e-6)
    assert [module for module, _ in seen] == [hook]
    assert called_kernels == called


def test_the_shared_expert_of_a_mixture_has_the_kernel(called_kernels: list[str]) -> None:
    layer = TopKExperts(num_tokens=3, token_dim=4, hidden_dim=8, down_scale=1.0, num_experts=4)
    tokens = torch.randn(20, 3, 4)
    torch.testing.assert_close(Lowering(layer).current()(tokens), layer(tokens), rtol=1e-5, atol=1e-6)
    assert called_kernels == ["swiglu_forward"]
