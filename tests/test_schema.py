import pytest
import torch

from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, NumericFeature, SequenceFeature


def test_features_keep_their_declared_order() -> None:
    schema = FeatureSchema((CategoricalFeature("a", 3), NumericFeature("x"), CategoricalFeature("b", 4)))
    assert schema.names == ("a", "x", "b")
    assert [feature.name for feature in schema.categorical] == ["a", "b"]
    assert schema.concatenation_order == (1, 0, 2)


def test_a_batch_moves_as_a_whole_and_what_is_missing_stays_missing() -> None:
    batch = Batch(
        categorical=torch.ones(2, 1, dtype=torch.int32), numeric=torch.zeros(2, 1), labels=torch.ones(2, 3), group=None
    )
    moved = batch.to(torch.device("meta"))
    assert moved.categorical.is_meta
    assert moved.labels is not None
    assert moved.labels.is_meta
    assert moved.group is None
    assert moved.weight is None


def test_a_batch_splits_into_parts_in_order() -> None:
    ids = torch.arange(7, dtype=torch.int32).view(7, 1)
    batch = Batch(
        categorical=ids,
        numeric=torch.zeros(7, 0),
        labels=torch.arange(7.0)[:, None],
        group=None,
        weight=torch.arange(7.0),
    )
    parts = list(batch.split(3))
    assert [part.num_examples for part in parts] == [3, 3, 1]
    assert torch.equal(torch.cat([part.categorical for part in parts]), ids)
    assert parts[2].labels is not None
    assert parts[2].labels.tolist() == [[6.0]]
    assert parts[2].weight is not None
    assert parts[2].weight.tolist() == [6.0]


def test_a_batch_is_frozen() -> None:
    batch = Batch(categorical=torch.ones(2, 1, dtype=torch.int32), numeric=torch.zeros(2, 1), labels=None, group=None)
    with pytest.raises(AttributeError):
        batch.labels = torch.ones(2, 1)  # type: ignore[misc]


def test_sequences_lie_side_by_side_after_the_other_features() -> None:
    schema = FeatureSchema(
        (SequenceFeature("history", 4, max_length=3, shares="item"), CategoricalFeature("item", 4), NumericFeature("x"))
    )
    assert schema.concatenation_order == (2, 1, 0)
    assert schema.num_positions == 3
