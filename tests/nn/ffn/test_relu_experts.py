from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import relu

from rankelastor.execution.slices import couples_examples
from rankelastor.nn.ffn.relu_experts import FIRST_PENALTY, ReluExperts


def made(**changes: Any) -> ReluExperts:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"num_experts": 4, "routers": "one"} | changes
    return ReluExperts(num_tokens=2, token_dim=3, hidden_dim=4, **settings).double()


def test_it_says_that_it_couples_its_examples() -> None:
    assert couples_examples(made())


def test_sparse_inference_gives_what_dense_training_gives() -> None:
    layer, tokens = made(), torch.randn(50, 2, 3, dtype=torch.float64)
    assert 0.2 < float((relu(layer.router(tokens)) == 0).double().mean()) < 0.8
    torch.testing.assert_close(layer.eval()(tokens), layer.train()(tokens))


def test_with_two_routers_the_halves_of_a_training_batch_go_through_one_each() -> None:
    layer, tokens = made(routers="two"), torch.randn(6, 2, 3, dtype=torch.float64)
    both = layer(torch.cat([tokens, tokens]))
    torch.testing.assert_close(both[:6], layer.eval()(tokens))
    assert layer.training_router is not None
    gates = relu(layer.training_router(tokens))
    torch.testing.assert_close(both[6:], layer.experts.all_of(tokens, gates))


@pytest.mark.parametrize(("zero_share", "factor"), [(0.99, 1.2), (0.0, 1 / 1.2)])
def test_the_penalty_grows_where_too_few_gates_are_zero_and_falls_where_too_many_are(
    zero_share: float, factor: float
) -> None:
    layer = made(zero_share=zero_share)
    layer(torch.randn(8, 2, 3, dtype=torch.float64))
    assert float(layer.penalty) == pytest.approx(FIRST_PENALTY * factor)
    layer.eval()(torch.randn(8, 2, 3, dtype=torch.float64))
    assert float(layer.penalty) == pytest.approx(FIRST_PENALTY * factor)
    assert "penalty" in layer.state_dict()


@pytest.mark.parametrize("routers", ["one", "two"])
def test_the_penalty_is_the_mean_sum_of_the_gates_of_inference(routers: str) -> None:
    layer, tokens = made(routers=routers), torch.randn(8, 2, 3, dtype=torch.float64)
    given = tokens if routers == "one" else torch.cat([tokens, tokens])
    parameters = list(layer.parameters())

    def gradients(penalty: float) -> list[torch.Tensor]:
        layer.penalty.fill_(penalty)
        found = torch.autograd.grad(layer(given).square().sum(), parameters)
        return list(found)

    expected = torch.autograd.grad(
        3.0 * relu(layer.router(tokens)).sum() / 8, parameters, allow_unused=True, materialize_grads=True
    )
    for without, with_it, share in zip(gradients(0.0), gradients(3.0), expected, strict=True):
        torch.testing.assert_close(with_it - without, share)


def test_the_share_of_zeros_comes_to_its_target_and_stays() -> None:
    layer = made(zero_share=0.75, num_experts=8)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.05)
    shares = []
    for _ in range(350):
        tokens = torch.randn(64, 2, 3, dtype=torch.float64)
        target = 3 * torch.sin(2 * tokens) + tokens.roll(1, 2)
        optimiser.zero_grad()
        (layer(tokens) - target).square().mean().backward()
        optimiser.step()
        shares.append(float((relu(layer.router(tokens)) == 0).double().mean()))
    assert shares[0] < 0.6
    assert abs(sum(shares[-50:]) / 50 - 0.75) < 0.06
