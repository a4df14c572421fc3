import math

import torch
from tests.nn.embedding.test_field_embedding import examples

from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.nn.embedding.periodic import PeriodicNumbers


def test_a_number_is_a_sum_of_waves() -> None:
    layer = PeriodicNumbers(num_numbers=2, embedding_dim=1, num_frequencies=1, relu=False)
    layer.frequencies.data = torch.tensor([[0.25], [1.0]])
    layer.weight.data = torch.tensor([[[2.0], [3.0]], [[5.0], [7.0]]])
    layer.bias.data = torch.tensor([[0.0], [100.0]])
    out = layer(torch.tensor([[1.0, 0.5], [0.0, 0.125]])).squeeze(2)
    half = math.sqrt(0.5)  # sin and cos of an eighth of a wave
    expected = [[2.0, 100 - 7.0], [3.0, 100 + 12 * half]]  # a quarter wave and half a wave; none and an eighth
    torch.testing.assert_close(out, torch.tensor(expected))
    layer.relu = True
    layer.bias.data[1] = 0.0
    expected = [[2.0, 0.0], [3.0, 12 * half]]
    torch.testing.assert_close(layer(torch.tensor([[1.0, 0.5], [0.0, 0.125]])).squeeze(2), torch.tensor(expected))


def test_initial_values_have_the_given_spread_and_keep_the_scale() -> None:
    torch.manual_seed(0)
    layer = PeriodicNumbers(num_numbers=500, embedding_dim=8, num_frequencies=16, frequency_deviation=0.1, relu=False)
    assert abs(layer.frequencies.std().item() - 0.1) < 0.003
    vectors = layer(torch.randn(4, 500))
    assert abs(vectors.square().mean().item() - 0.5) < 0.03  # sin^2 + cos^2 of 16 frequencies, weights of 1/32


def test_it_takes_the_place_of_scaled_vectors_and_leaves_positions_among_edges() -> None:
    embed = FieldEmbedding(num_ids=[3], num_numeric=3, embedding_dim=2, num_edges={1: 2}, numbers=PeriodicNumbers)
    numbers = torch.tensor([[0.5, 1.5, -0.5]])
    out = embed(examples([[2]], numbers)).fields
    assert embed.numeric_vectors.numel() == 0
    assert embed.numbers is not None
    torch.testing.assert_close(out[:, [0, 2]], embed.numbers(numbers[:, [0, 2]]))
    torch.testing.assert_close(out[0, 1], (embed.table[3] + embed.table[4]) / 2)
    torch.testing.assert_close(out[0, 3], embed.table[2])
