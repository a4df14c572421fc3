"""What a ranker begins with that goes on from another one: known rows exactly, new rows as out of vocabulary."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch
from tests.models.every_model import VARIANTS, small
from torch import Tensor

from rankelastor.config.averaged_weights import AveragedWeightsSettings
from rankelastor.config.execution import ExecutionSettings
from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.data.features.vocabulary import GivenIds, Vocabulary
from rankelastor.models.build import build_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.schema import (
    Batch,
    CategoricalFeature,
    FeatureSchema,
    NumericFeature,
    PretrainedVectors,
    SequenceFeature,
)
from rankelastor.training.carried_rows import TABLE, VALUE_RATES, RowMoves, Side
from rankelastor.training.carried_state import CarriedState
from rankelastor.training.step import Stepper

BEFORE = Vocabulary(pl.Series(["a", "b"]), np.array([5, 3]))
"""Ids 1 and 2; 3 is out of vocabulary."""
AFTER = Vocabulary(
    pl.Series(["a", "x", "n"]),
    np.array([6, 5, 4]),
    given=GivenIds(np.array([1, 2, 4], np.int32), np.array([1, 1, 1], np.int32), out_of_vocabulary=3, num_ids=6),
)
"""The id of b was given to x; n is new, and 5 is free."""
ROW_OF_ID = {1: 1, 2: 3, 3: 3, 4: 3, 5: 3}


def schema_of(num_ids: int, unseen_id: int | None) -> FeatureSchema:
    return FeatureSchema(
        (
            CategoricalFeature("user", 4),
            CategoricalFeature("site", num_ids, unseen_id=unseen_id),
            NumericFeature("edges", num_edges=3),
            NumericFeature("price"),
            SequenceFeature("past", num_ids, max_length=2, shares="site", unseen_id=unseen_id),
        )
    )


FORMER, NEW = schema_of(4, None), schema_of(6, 3)


def side(ranker: Ranker, schema: FeatureSchema, vocabulary: Vocabulary) -> Side:
    return Side(ranker.embedding, schema, {"site": vocabulary, "past": vocabulary})


def moves_between(former: Ranker, new: Ranker) -> RowMoves:
    return RowMoves.between(side(former, FORMER, BEFORE), side(new, NEW, AFTER))


def rows_of(ranker: Ranker, place: int, table: Tensor) -> Tensor:
    """Return the rows of the ids of a feature, with padding first."""
    rows = ranker.embedding.row_ranges[place]
    assert rows is not None
    return torch.cat([table[:1], table[rows]])


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_every_model_takes_known_rows_and_all_other_weights_as_they_are(name: str) -> None:
    former, new = build_ranker(small(name), FORMER), build_ranker(small(name), NEW)
    carried = CarriedState(former.state_dict()).moved(moves_between(former, new), new.state_dict())
    new.load_state_dict(carried.weights)
    before, now = rows_of(former, 1, former.embedding.table), rows_of(new, 1, new.embedding.table)
    for index, source in ROW_OF_ID.items():
        assert torch.equal(now[index], before[source]), index
    assert torch.equal(rows_of(new, 0, new.embedding.table), rows_of(former, 0, former.embedding.table))
    assert torch.equal(new.embedding.table[-3:], former.embedding.table[-3:]), "the rows of the edges"
    others = {key: each for key, each in former.state_dict().items() if key not in {TABLE, VALUE_RATES}}
    assert all(torch.equal(new.state_dict()[key], each) for key, each in others.items())


def test_value_rates_are_carried_for_each_feature_and_new_values_have_those_of_unseen_ones() -> None:
    former, new = (build_ranker(small("mlp", value_rates=True), schema) for schema in (FORMER, NEW))
    before, after = former.embedding.value_rates, new.embedding.value_rates
    assert before is not None
    assert after is not None
    before.set(torch.arange(12.0).unsqueeze(1), torch.tensor([-1.0]))
    moves = moves_between(former, new)
    new.load_state_dict(CarriedState(former.state_dict()).moved(moves, new.state_dict()).weights)
    user, site, past = after.weights.flatten().split([4, 6, 6])
    assert user.tolist() == [0, 1, 2, 3]
    assert site.tolist() == [4, 5, 7, 7, 7, 7], "a is known, the others begin as unseen"
    assert past.tolist() == [8, 9, 11, 11, 11, 11]
    assert after.bias.tolist() == [-1]
    assert moves.num_new == 3, "embedding rows alone"


OPTIMISERS: dict[str, tuple[OptimiserSettings, ExecutionSettings]] = {
    "adam": (OptimiserSettings(embedding_l2=1e-3), ExecutionSettings(embedding_updates="dense")),
    "adamw": (OptimiserSettings(weight_decay=0.1), ExecutionSettings(embedding_updates="dense")),
    "a rate of the rows": (
        OptimiserSettings(embedding_learning_rate=0.1),
        ExecutionSettings(embedding_updates="dense"),
    ),
    "lazy rows": (OptimiserSettings(embedding_l2=1e-3), ExecutionSettings(embedding_updates="lazy")),
    "adagrad": (OptimiserSettings(embedding_rule="rowwise_adagrad"), ExecutionSettings()),
}


def stepper_of(ranker: Ranker, name: str, *, averaged: bool = False) -> Stepper:
    optimiser, execution = OPTIMISERS[name]
    average = AveragedWeightsSettings(decay=0.5) if averaged else None
    return Stepper(ranker, optimiser, execution, batch_size=4, averaged_weights=average)


def batch_of(seed: int) -> Batch:
    draws = torch.Generator().manual_seed(seed)
    ids = torch.stack([torch.randint(4, (4,), generator=draws) for _ in range(2)], dim=1).int()
    return Batch(
        categorical=ids,
        numeric=torch.rand(4, 2, generator=draws),
        labels=torch.randint(2, (4, 1), generator=draws).float(),
        group=None,
        sequence=torch.randint(4, (4, 2), generator=draws).int(),
    )


def state_of(stepper: Stepper, ranker: Ranker) -> CarriedState:
    names = [name for name, _ in ranker.named_parameters()]
    return CarriedState.of_checkpoint(stepper.state(), parameters=names, trained=names, epochs_done=0.0)


@pytest.mark.parametrize("averaged", [False, True], ids=["", "averaged"])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_with_the_same_vocabulary_training_goes_on_as_if_it_had_not_stopped(name: str, averaged: bool) -> None:
    rankers = [build_ranker(small("mlp"), FORMER) for _ in range(2)]
    unbroken, again = (stepper_of(ranker, name, averaged=averaged) for ranker in rankers)
    for seed in range(5):
        unbroken.step(batch_of(seed))
    unbroken.complete_rows()
    again.take_over(state_of(unbroken, rankers[0]))
    for key, tensor in unbroken.state().items():
        if not key.startswith(("rows.scale", "rows.sum")):
            torch.testing.assert_close(again.state()[key], tensor, rtol=0, atol=0, msg=key)
    for seed in range(5, 9):
        assert torch.equal(unbroken.step(batch_of(seed)), again.step(batch_of(seed)))
    unbroken.complete_rows()
    again.complete_rows()
    for key, tensor in rankers[0].state_dict().items():
        torch.testing.assert_close(rankers[1].state_dict()[key], tensor, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("before", "now"), [("adam", "lazy rows"), ("lazy rows", "a rate of the rows")])
def test_moments_of_rows_move_between_dense_and_lazy_updates(before: str, now: str) -> None:
    rankers = [build_ranker(small("mlp"), FORMER) for _ in range(2)]
    first, second = stepper_of(rankers[0], before), stepper_of(rankers[1], now)
    for seed in range(4):
        first.step(batch_of(seed))
    first.complete_rows()
    second.take_over(state_of(first, rankers[0]))
    carried = state_of(second, rankers[1])
    for ours, theirs in zip(carried.moments[TABLE], state_of(first, rankers[0]).moments[TABLE], strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_moments_of_known_rows_stay_and_those_of_new_rows_are_zero(name: str) -> None:
    torch.manual_seed(0)  # with few hidden units, some draws leave out of vocabulary without a gradient
    former, new = build_ranker(small("mlp"), FORMER), build_ranker(small("mlp"), NEW)
    stepper, other = stepper_of(former, name, averaged=True), stepper_of(new, name, averaged=True)
    for seed in range(6):
        stepper.step(batch_of(seed))
    stepper.complete_rows()
    before = state_of(stepper, former)
    moved = before.moved(moves_between(former, new), new.state_dict())
    other.take_over(moved)
    other.step(batch_of(9))
    if before.sums is None:
        theirs, ours = before.moments[TABLE][1], moved.moments[TABLE][1]
    else:
        assert moved.sums is not None
        theirs, ours = before.sums, moved.sums
    known, now = rows_of(former, 1, theirs), rows_of(new, 1, ours)
    assert known[3].ne(0).any(), "out of vocabulary was trained"
    assert torch.equal(now[[1, 3]], known[[1, 3]])
    assert not now[[2, 4, 5]].any()
    averages = rows_of(new, 1, moved.averages[TABLE])
    assert torch.equal(averages[4], rows_of(former, 1, before.averages[TABLE])[3])


def test_vectors_of_new_values_are_those_of_the_file() -> None:
    def ranker_of(num_ids: int, unseen_id: int | None) -> tuple[Ranker, FeatureSchema]:
        vectors = PretrainedVectors(dim=2, trained=True)
        schema = FeatureSchema(
            (CategoricalFeature("site", num_ids, pretrained=vectors, unseen_id=unseen_id), CategoricalFeature("b", 4))
        )
        return build_ranker(small("mlp"), schema), schema

    (former, before), (new, now) = ranker_of(4, None), ranker_of(6, 3)
    name = "embedding.pretrained.0.vectors"
    former.state_dict()[name].copy_(torch.arange(8.0).view(4, 2))
    new.state_dict()[name].copy_(-torch.arange(12.0).view(6, 2))
    moves = RowMoves.between(
        Side(former.embedding, before, {"site": BEFORE}), Side(new.embedding, now, {"site": AFTER})
    )
    carried = CarriedState(former.state_dict()).moved(moves, new.state_dict())
    assert carried.weights[name][:, 0].tolist() == [0, 2, -4, 6, -8, -10]


def test_a_long_history_of_steps_is_cut_without_a_change() -> None:
    ranker = build_ranker(small("mlp"), FORMER)
    stepper = stepper_of(ranker, "lazy rows")
    table = ranker.embedding.table
    moments = torch.rand_like(table), torch.rand_like(table), torch.tensor(3e6)
    stepper.take_over(CarriedState(ranker.state_dict(), {TABLE: moments}))
    history = stepper.state()["rows.scale"]
    assert len(history) == (1 << 16) + 1
    assert 1 - 0.999 ** (len(history) - 1) == 1


def test_a_state_of_another_model_is_refused() -> None:
    ranker = build_ranker(small("mlp"), FORMER)
    with pytest.raises(ValueError, match="size mismatch"):
        stepper_of(ranker, "adam").take_over(CarriedState(build_ranker(small("mlp"), NEW).state_dict()))
    with pytest.raises(ValueError, match="moments of 3 parameters are known, not of 8"):
        CarriedState.of_checkpoint({"adam.7.first": torch.ones(1)}, parameters=["a", "b"], trained=[], epochs_done=0)
