import pytest
import torch
from torch.nn.functional import one_hot

from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.nn.embedding.pretrained import PretrainedEmbedding
from rankelastor.schema import Batch


def examples(ids: object, numbers: object = None, sequence: object = None) -> Batch:
    """A batch of these categorical ids, numbers (None: no numeric feature) and ids of sequences."""
    categorical = torch.as_tensor(ids, dtype=torch.int32)
    numeric = torch.empty(len(categorical), 0) if numbers is None else torch.as_tensor(numbers)
    positions = None if sequence is None else torch.as_tensor(sequence, dtype=torch.int32)
    return Batch(categorical=categorical, numeric=numeric, labels=None, group=None, sequence=positions)


def test_each_field_looks_up_its_own_rows() -> None:
    embed = FieldEmbedding(num_ids=[3, 4], num_numeric=0, embedding_dim=2)
    embed.table.data = torch.arange(12.0).view(6, 2)  # row 0 padding, rows 1-2 first field, rows 3-5 second
    out = embed(examples([[1, 1], [2, 3]])).fields
    assert out.tolist() == [[[2.0, 3.0], [6.0, 7.0]], [[4.0, 5.0], [10.0, 11.0]]]


def test_padding_is_zero_and_learns_nothing() -> None:
    embed = FieldEmbedding(num_ids=[3], num_numeric=0, embedding_dim=2)
    out = embed(examples([[0], [1]])).fields
    out.sum().backward()
    assert out[0].abs().sum() == 0
    assert embed.table.grad is not None
    assert embed.table.grad[0].abs().sum() == 0
    assert embed.table.grad[1].tolist() == [1.0, 1.0]


def test_a_number_scales_its_fields_vector() -> None:
    embed = FieldEmbedding(num_ids=[], num_numeric=2, embedding_dim=3)
    out = embed(examples([[]], [[2.0, -1.0]])).fields
    assert torch.equal(out[0], embed.numeric_vectors * torch.tensor([[2.0], [-1.0]]))


def test_order_puts_fields_as_declared() -> None:
    embed = FieldEmbedding(num_ids=[3], num_numeric=2, embedding_dim=2, order=[2, 0, 1])
    out = embed(examples([[1]], [[5.0, 7.0]])).fields
    expected = torch.stack([embed.table[1], 5 * embed.numeric_vectors[0], 7 * embed.numeric_vectors[1]])
    assert torch.equal(out[0], expected)


def test_lookup_equals_a_product_with_one_hot_rows() -> None:
    embed = FieldEmbedding(num_ids=[5], num_numeric=0, embedding_dim=4)
    ids = torch.tensor([[4], [2], [0]], dtype=torch.int32)
    expected = one_hot(ids[:, 0].long(), 5).float() @ embed.table
    assert torch.allclose(embed(examples(ids)).fields[:, 0], expected)


def test_initial_values_are_the_published_ones() -> None:
    torch.manual_seed(0)
    embed = FieldEmbedding(num_ids=[20_001], num_numeric=3_000, embedding_dim=10)
    assert embed.table[1:].std().item() == pytest.approx(1e-4, rel=0.02)
    assert embed.numeric_vectors.std().item() == pytest.approx((2 / 11) ** 0.5, rel=0.02)
    assert embed.table[0].abs().sum() == 0


def test_the_standard_deviation_scales_the_same_initial_rows() -> None:
    torch.manual_seed(0)
    published = FieldEmbedding(num_ids=[6], num_numeric=1, embedding_dim=3)
    torch.manual_seed(0)
    larger = FieldEmbedding(num_ids=[6], num_numeric=1, embedding_dim=3, initial_std=1e-2)
    torch.testing.assert_close(larger.table, 100 * published.table)
    assert torch.equal(larger.numeric_vectors, published.numeric_vectors)


def test_a_sequence_is_the_mean_of_the_rows_it_shares() -> None:
    embed = FieldEmbedding(num_ids=[3, 4, 3, 5], num_numeric=0, embedding_dim=2, max_lengths=[3, 2], shares={2: 0})
    embed.table.data = torch.arange(20.0).view(10, 2)
    embed.table.data[0] = 0
    out = embed(examples([[1, 3]], sequence=[[0, 1, 2, 0, 4]])).fields
    # rows 1-2 first field and first sequence, rows 3-5 second field, rows 6-9 second sequence
    assert out[0].tolist() == [[2.0, 3.0], [10.0, 11.0], [3.0, 4.0], [18.0, 19.0]]
    assert embed.row_ranges == [slice(1, 3), slice(3, 6), slice(1, 3), slice(6, 10)]


def test_an_empty_sequence_is_zero_and_learns_nothing() -> None:
    embed = FieldEmbedding(num_ids=[3], num_numeric=0, embedding_dim=2, max_lengths=[2])
    out = embed(examples([[]], sequence=[[0, 0]])).fields
    out.sum().backward()
    assert out.abs().sum() == 0
    assert embed.table.grad is not None
    assert embed.table.grad.abs().sum() == 0


def test_pretrained_vectors_serve_a_field_and_the_sequence_that_shares_it() -> None:
    embed = FieldEmbedding(
        num_ids=[4, 3, 3], num_numeric=0, embedding_dim=2, max_lengths=[2], shares={2: 1}, pretrained={1: (3, False)}
    )
    vectors = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 2.0], [0.0, 3.0, 1.0]])
    given = embed.pretrained["1"]
    assert isinstance(given, PretrainedEmbedding)
    given.set_vectors(vectors)
    out = embed(examples([[3, 2]], sequence=[[1, 2]])).fields
    projected = vectors @ given.projection.weight.T
    assert torch.allclose(out[0], torch.stack([embed.table[3], projected[2], (projected[1] + projected[2]) / 2]))
    assert embed.table.shape == (4, 2)
    assert embed.row_ranges == [slice(1, 4), None, None]


def test_features_of_all_kinds_come_in_declared_order() -> None:
    embed = FieldEmbedding(num_ids=[3, 4], num_numeric=1, embedding_dim=2, max_lengths=[1], order=[2, 1, 0])
    out = embed(examples([[1]], [[5.0]], [[2]])).fields
    assert torch.equal(out[0], torch.stack([embed.table[4], embed.table[1], 5 * embed.numeric_vectors[0]]))


def test_the_three_calls_are_the_whole() -> None:
    embed = FieldEmbedding(num_ids=[3, 4, 3], num_numeric=1, embedding_dim=2, max_lengths=[2], shares={2: 0})
    batch = examples([[1, 3], [0, 2]], [[0.5], [2.0]], [[0, 2], [1, 1]])
    rows = embed.rows_of(batch)
    assert rows.tolist() == [[1, 5, 0, 2], [0, 4, 1, 1]]
    whole, parts = embed(batch), embed.assemble(embed.look_up(rows), batch)
    assert torch.equal(whole.fields, parts.fields)
    assert torch.equal(whole.sequences[0].elements, parts.sequences[0].elements)


def test_rows_found_can_be_leaves_of_the_graph() -> None:
    embed = FieldEmbedding(num_ids=[3, 4], num_numeric=0, embedding_dim=2)
    batch = examples([[1, 3], [1, 0]])
    rows = embed.rows_of(batch)
    found = embed.look_up(rows).detach().requires_grad_()
    (embed.assemble(found, batch).fields * torch.arange(8.0).view(2, 2, 2)).sum().backward()
    (embed(batch).fields * torch.arange(8.0).view(2, 2, 2)).sum().backward()
    assert found.grad is not None
    assert embed.table.grad is not None
    expected = torch.zeros_like(embed.table).index_add_(0, rows.flatten(), found.grad.flatten(0, 1))
    expected[0] = 0
    assert torch.equal(embed.table.grad, expected)


def test_the_elements_of_sequences_are_handed_over_with_their_masks() -> None:
    embed = FieldEmbedding(num_ids=[3, 4, 5], num_numeric=0, embedding_dim=2, max_lengths=[2, 3])
    embedded = embed(examples([[1]], sequence=[[0, 2, 0, 1, 4]]))
    first, second = embedded.sequences
    assert first.mask.tolist() == [[False, True]]
    assert second.mask.tolist() == [[False, True, True]]
    assert torch.equal(first.elements[0], torch.stack([torch.zeros(2), embed.table[4]]))
    assert torch.equal(second.elements[0], torch.stack([torch.zeros(2), embed.table[6], embed.table[9]]))
    assert torch.equal(embedded.fields[0, 1], embed.table[4])
    assert torch.allclose(embedded.fields[0, 2], (embed.table[6] + embed.table[9]) / 2)


def test_there_are_no_sequences_where_no_feature_is_one() -> None:
    embedded = FieldEmbedding(num_ids=[3], num_numeric=0, embedding_dim=2)(examples([[1]]))
    assert embedded.sequences == ()
