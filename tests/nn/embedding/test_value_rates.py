"""The weights of values, and how an embedding hands their sum on."""

from __future__ import annotations

import pytest
import torch

from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.nn.embedding.value_rates import ValueRates
from rankelastor.schema import Batch


def batch_of(ids: list[list[int]], sequence: list[list[int]] | None = None) -> Batch:
    return Batch(
        categorical=torch.tensor(ids, dtype=torch.int32),
        numeric=torch.zeros(len(ids), 0),
        labels=None,
        group=None,
        sequence=None if sequence is None else torch.tensor(sequence, dtype=torch.int32),
    )


@pytest.fixture
def rates() -> ValueRates:
    """Features with 3, 2 and 3 ids, the last a sequence of up to 2; two tasks, the second ten times the first."""
    made = ValueRates(num_ids=[3, 2, 3], max_lengths=[2], num_tasks=2)
    weights = torch.arange(8.0).unsqueeze(1) * torch.tensor([1.0, 10.0])
    made.set(weights, torch.tensor([0.5, 5.0]))
    return made


def test_each_feature_has_weights_of_its_own_and_a_sequence_counts_with_its_mean(rates: ValueRates) -> None:
    found = rates(batch_of([[2, 1], [0, 0]], [[1, 2], [0, 0]]))
    # .5 + 2 + (3 + 1) + mean(5 + 1, 5 + 2), and .5 + 0 + 3 without elements
    assert found.tolist() == [[13.0, 130.0], [3.5, 35.0]]


def test_weights_are_no_parameters_but_are_saved(rates: ValueRates) -> None:
    assert not list(rates.parameters())
    assert set(rates.state_dict()) == {"weights", "bias"}


def test_an_embedding_takes_the_offset_of_a_batch_before_its_own(rates: ValueRates) -> None:
    embed = FieldEmbedding(num_ids=[3, 2, 3], num_numeric=0, embedding_dim=4, max_lengths=[2], value_rates=rates)
    batch = batch_of([[2, 1]], [[1, 2]])
    own = embed(batch).offset
    assert own is not None
    assert own.tolist() == [[13.0, 130.0]]
    given = Batch(**{**batch.__dict__, "offset": torch.tensor([[-1.0, -2.0]])})
    assert embed(given).offset is given.offset


def test_an_embedding_without_rates_has_no_offset() -> None:
    embed = FieldEmbedding(num_ids=[3], num_numeric=0, embedding_dim=4)
    assert embed(batch_of([[1]])).offset is None


def test_a_value_for_serving_counts_when_scoring_alone(rates: ValueRates) -> None:
    embed = FieldEmbedding(
        num_ids=[3, 2, 3], num_numeric=0, embedding_dim=4, max_lengths=[2], value_rates=rates, served_ids={0: 1}
    )
    batch = batch_of([[2, 1]], [[0, 0]])
    in_training, in_service = embed.train()(batch).offset, embed.eval()(batch).offset
    assert in_training is not None
    assert in_service is not None
    assert (in_training - in_service).tolist() == [[1.0, 10.0]]
