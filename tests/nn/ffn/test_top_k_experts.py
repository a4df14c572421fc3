from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rankelastor.nn.ffn.top_k_experts import SoftmaxOver, TopKExperts
from rankelastor.nn.sizes import SizesDoNotFit


def made(*, num_experts: int, num_active: int, softmax: SoftmaxOver = "all") -> TopKExperts:
    torch.manual_seed(0)
    sizes = {"num_tokens": 2, "token_dim": 3, "hidden_dim": 4}
    return TopKExperts(**sizes, num_experts=num_experts, num_active=num_active, softmax=softmax).double()


def dense(layer: TopKExperts, tokens: Tensor, gates: Tensor) -> Tensor:
    out: Tensor = layer.shared(tokens) + layer.experts.all_of(tokens, gates)
    return out


def test_with_every_expert_on_it_is_the_dense_mixture_by_softmax() -> None:
    layer, tokens = made(num_experts=4, num_active=4), torch.randn(9, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(layer(tokens), dense(layer, tokens, layer.router(tokens).softmax(dim=2)))


@pytest.mark.parametrize("softmax", ["all", "chosen"])
@pytest.mark.parametrize("num_examples", [1, 2, 9])
def test_the_best_are_weighted_by_their_softmax_times_the_inverse_share(
    num_examples: int, softmax: SoftmaxOver
) -> None:
    layer = made(num_experts=6, num_active=3, softmax=softmax)
    tokens = torch.randn(num_examples, 2, 3, dtype=torch.float64)
    scores = layer.router(tokens)
    gates = torch.zeros_like(scores)
    for example in range(num_examples):
        for token in range(2):
            best = scores[example, token].argsort(descending=True)[:2]
            total = scores[example, token].exp().sum() if softmax == "all" else scores[example, token, best].exp().sum()
            gates[example, token, best] = (6 / 3) * scores[example, token, best].exp() / total
    torch.testing.assert_close(layer(tokens), dense(layer, tokens, gates))


@pytest.mark.parametrize("num_examples", [1, 20])
@pytest.mark.parametrize("num_active", [2, 3, 6])
def test_the_router_has_a_gradient_however_many_experts_are_on(num_active: int, num_examples: int) -> None:
    layer = made(num_experts=6, num_active=num_active)
    layer(torch.randn(num_examples, 2, 3, dtype=torch.float64)).square().sum().backward()
    for parameter in layer.router.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 1e-6


def test_a_softmax_over_one_chosen_expert_is_refused_since_its_router_would_learn_nothing() -> None:
    with pytest.raises(SizesDoNotFit, match=r"num_active must be 3 or more with softmax chosen.*try softmax=all"):
        made(num_experts=6, num_active=2, softmax="chosen")


def test_examples_may_take_different_experts() -> None:
    layer = made(num_experts=6, num_active=2)
    chosen = layer.router(torch.randn(50, 2, 3, dtype=torch.float64)).argmax(2)
    assert len(chosen[:, 0].unique()) > 1


def test_more_active_experts_than_there_are_do_not_fit() -> None:
    with pytest.raises(SizesDoNotFit, match="num_active must be at most num_experts = 3, but 4 was given"):
        made(num_experts=3, num_active=4)
