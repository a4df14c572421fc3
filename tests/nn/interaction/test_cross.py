import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from tests.nn.gradients import require_exact_gradients

from rankelastor.nn.interaction.cross import CrossExperts, CrossLayer, CrossNetwork, MixtureCrossNetwork


def with_weights(layer: CrossLayer, weight: list[list[float]], bias: list[float]) -> CrossLayer:
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor(weight))
        layer.linear.bias.copy_(torch.tensor(bias))
    return layer


def test_one_layer_by_hand() -> None:
    layer = with_weights(CrossLayer(width=2), [[1.0, 2.0], [0.0, -1.0]], [0.5, 1.0])
    crossed = layer(torch.tensor([[3.0, 4.0]]), torch.tensor([[5.0, 6.0]]))
    assert crossed.tolist() == [[3 * (5 + 12 + 0.5) + 5, 4 * (-6 + 1.0) + 6]]


def test_two_layers_keep_the_first_input() -> None:
    network = CrossNetwork(width=1, num_layers=2)
    for layer in network.layers:
        assert isinstance(layer, CrossLayer)
        with_weights(layer, [[1.0]], [0.0])
    # x1 = x0 * x0 + x0, x2 = x0 * x1 + x1
    assert network(torch.tensor([[3.0]])).tolist() == [[3.0 * 12.0 + 12.0]]


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 5))
def test_a_network_is_what_loops_compute(num_layers: int, batch: int, width: int) -> None:
    network = CrossNetwork(width=width, num_layers=num_layers).double()
    inputs = torch.randn(batch, width, dtype=torch.float64)
    expected = torch.empty_like(inputs)
    for example in range(batch):
        x0 = x = inputs[example].tolist()
        for layer in network.layers:
            assert isinstance(layer, CrossLayer)
            weight, bias = layer.linear.weight.tolist(), layer.linear.bias.tolist()
            mapped = [sum(weight[i][j] * x[j] for j in range(width)) + bias[i] for i in range(width)]
            x = [x0[i] * mapped[i] + x[i] for i in range(width)]
        expected[example] = torch.tensor(x, dtype=torch.float64)
    torch.testing.assert_close(network(inputs), expected)


def test_a_layer_without_weights_is_the_identity() -> None:
    layer = with_weights(CrossLayer(width=2), [[0.0, 0.0], [0.0, 0.0]], [0.0, 0.0])
    x = torch.randn(4, 2)
    assert torch.equal(layer(torch.randn(4, 2), x), x)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4)])
def test_a_wrong_rank_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(TypeCheckError):
        CrossNetwork(width=shape[-1], num_layers=1)(torch.zeros(shape))


def test_a_wrong_width_is_refused() -> None:
    with pytest.raises((RuntimeError, TypeCheckError)):
        CrossNetwork(width=3, num_layers=1)(torch.zeros(2, 4))


def test_a_mixture_of_two_experts_by_hand() -> None:
    layer = CrossExperts(width=2, rank=1, num_experts=2)
    with torch.no_grad():
        layer.down.copy_(torch.tensor([[[1.0], [0.0]], [[0.0], [1.0]]]))
        layer.core.copy_(torch.tensor([[[2.0]], [[1.0]]]))
        layer.up.copy_(torch.tensor([[[1.0, 0.0]], [[0.0, 3.0]]]))
        layer.bias.copy_(torch.tensor([0.5, 0.0]))
    x0, x, gates = torch.tensor([[10.0, 20.0]]), torch.tensor([[0.3, -0.2]]), torch.tensor([[0.25, 0.75]])
    first = [math.tanh(2 * math.tanh(0.3)) + 0.5, 0.0]
    second = [0.5, 3 * math.tanh(math.tanh(-0.2))]
    expected = [
        10 * (0.25 * first[0] + 0.75 * second[0]) + 0.3,
        20 * (0.25 * first[1] + 0.75 * second[1]) - 0.2,
    ]
    torch.testing.assert_close(layer(x0, x, gates), torch.tensor([expected]))


def test_one_expert_of_full_rank_is_a_cross_layer_for_small_inputs() -> None:
    """tanh is the identity near 0, and one expert has the gate 1."""
    network = MixtureCrossNetwork(width=3, num_layers=1, rank=3, num_experts=1).double()
    x = 1e-4 * torch.randn(5, 3, dtype=torch.float64)
    (layer,) = network.layers
    assert isinstance(layer, CrossExperts)
    matrix = (layer.down[0] @ layer.core[0] @ layer.up[0]).T
    torch.testing.assert_close(network(x), x * (x @ matrix.T) + x, atol=1e-14, rtol=0)


def test_gradients_of_the_mixture_are_exact() -> None:
    network = MixtureCrossNetwork(width=3, num_layers=2, rank=2, num_experts=2).double()
    require_exact_gradients(network, torch.randn(2, 3, dtype=torch.float64))
