import torch
from tests.nn.embedding.test_field_embedding import examples

from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.nn.embedding.piecewise_linear import PiecewiseLinear


def test_it_is_a_linear_map_of_the_published_encoding() -> None:
    torch.manual_seed(0)
    bias, weight = torch.randn(2), torch.randn(3, 2)
    edges = torch.cat([bias.unsqueeze(0), bias + weight.cumsum(0)])  # four edges, three buckets
    layer = PiecewiseLinear(num_edges=[4], first_row=0)
    positions = torch.tensor([[1.0], [1.5], [2.25], [4.0]])
    encoded = torch.tensor([[0, 0, 0], [0.5, 0, 0], [1, 0.25, 0], [1, 1, 1]])
    table = torch.cat([edges, torch.zeros(1, 2)])
    torch.testing.assert_close(layer(table[layer.rows_of(positions)], positions)[:, 0], encoded @ weight + bias)


def test_features_have_rows_of_their_own_behind_those_of_ids() -> None:
    embed = FieldEmbedding(num_ids=[3], num_numeric=2, embedding_dim=1, num_edges={0: 2, 1: 1})
    embed.table.data = torch.arange(8.0).view(8, 1)  # padding, ids 1-2, edges 3-4, blank 5, edge 6, blank 7
    assert embed.numeric_vectors.shape == (0, 1)
    assert embed.num_columns == 5
    out = embed(examples([[2], [0]], [[1.5, 0.0], [0.0, 1.0]])).fields
    assert out.flatten(1).tolist() == [[3.5, 7.0, 2.0], [5.0, 6.0, 0.0]]


def test_numbers_of_both_kinds_stay_in_declared_order() -> None:
    embed = FieldEmbedding(num_ids=[], num_numeric=3, embedding_dim=1, num_edges={1: 2})
    embed.table.data = torch.tensor([[0.0], [10.0], [20.0], [30.0]])
    embed.numeric_vectors.data = torch.tensor([[1.0], [2.0]])
    assert embed(examples([[]], [[3.0, 1.5, 4.0]])).fields.flatten().tolist() == [3.0, 15.0, 8.0]


def test_a_number_between_edges_teaches_both_by_their_shares() -> None:
    embed = FieldEmbedding(num_ids=[3], num_numeric=1, embedding_dim=2, num_edges={0: 3}, max_lengths=[2])
    embed(examples([[]], [[2.25]], [[1, 2]])).fields[:, 0].sum().backward()
    assert embed.table.grad is not None
    assert embed.table.grad[:, 0].tolist() == [0.0, 0.0, 0.0, 0.0, 0.75, 0.25, 0.0]
