from __future__ import annotations

import torch
from tests.nn.gradients import require_exact_gradients

from rankelastor.nn.interaction.cin import CinLayer, CompressedInteractionNetwork


def with_weights(layer: CinLayer, weight: list[list[float]], bias: list[float]) -> None:
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor(weight))
        layer.linear.bias.copy_(torch.tensor(bias))


def test_one_layer_by_hand() -> None:
    layer = CinLayer(num_fields=2, in_dim=2, out_dim=1)
    with_weights(layer, [[1.0, 10.0, 100.0, 1000.0]], [0.5])
    x0 = torch.tensor([[[2.0, 1.0], [3.0, -1.0]]])
    # products of rows, coordinate by coordinate: (4, 1), (6, -1), (6, -1), (9, 1)
    assert layer(x0, x0).tolist() == [[[4 + 60 + 600 + 9000 + 0.5, 1 - 10 - 100 + 1000 + 0.5]]]


def test_two_layers_by_hand_take_the_sum_of_each_row() -> None:
    network = CompressedInteractionNetwork(num_fields=2, layer_dims=[1, 1])
    first, second = network.layers
    assert isinstance(first, CinLayer)
    assert isinstance(second, CinLayer)
    with_weights(first, [[0.0, 1.0, 0.0, 0.0]], [0.0])  # v1 o v2
    with_weights(second, [[1.0, 0.0]], [0.0])  # v1 o (v1 o v2)
    fields = torch.tensor([[[2.0, 1.0], [3.0, 5.0]]])
    assert network(fields).tolist() == [[6 + 5, 12 + 5]]


def test_gradients_are_exact() -> None:
    network = CompressedInteractionNetwork(num_fields=3, layer_dims=[2, 2]).double()
    require_exact_gradients(network, torch.randn(2, 3, 4, dtype=torch.float64))
