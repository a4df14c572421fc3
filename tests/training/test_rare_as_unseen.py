from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankelastor.config.training import RareAsUnseenSettings
from rankelastor.data.prepare import prepare
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import Batch, CategoricalFeature, SequenceFeature
from rankelastor.training.rare_as_unseen import RareAsUnseen
from rankelastor.training.run import train

ITEM, SITE, HASHED = CategoricalFeature("item", 10), CategoricalFeature("site", 6), CategoricalFeature("hashed", 8)
HISTORY = SequenceFeature("history", 10, max_length=3, shares="item")
_FOUR_TO_EIGHT = np.arange(4, 9, dtype=np.int32)
RARE = {"item": _FOUR_TO_EIGHT, "site": _FOUR_TO_EIGHT[:0], "history": _FOUR_TO_EIGHT}
"""Items 4..8 are rare and 9 is out of vocabulary; no site is rare; hashed values have no vocabulary."""


def replacement(share: float, seed: int = 1) -> RareAsUnseen:
    return RareAsUnseen(RARE, [ITEM, SITE, HASHED, HISTORY], share=share, seed=seed)


def batch_of(num_rows: int, seed: int = 0) -> Batch:
    draws = np.random.default_rng(seed)
    ids = np.stack([draws.integers(0, feature.num_ids, num_rows) for feature in (ITEM, SITE, HASHED)], axis=1)
    history = draws.integers(0, HISTORY.num_ids, (num_rows, HISTORY.max_length))
    return Batch(
        categorical=torch.from_numpy(ids.astype(np.int32)),
        numeric=torch.zeros(num_rows, 0),
        labels=None,
        group=None,
        sequence=torch.from_numpy(history.astype(np.int32)),
    )


def sequence_of(batch: Batch) -> torch.Tensor:
    assert batch.sequence is not None
    return batch.sequence


def test_all_rare_ids_and_no_others_are_replaced_at_share_one() -> None:
    batch = batch_of(500)
    replaced = replacement(1.0)(batch, step=1)
    for before, after in (
        (batch.categorical[:, 0], replaced.categorical[:, 0]),
        (sequence_of(batch), sequence_of(replaced)),
    ):
        rare = (before >= 4) & (before <= 8)
        assert torch.equal(after, torch.where(rare, 9, before))
    assert torch.equal(replaced.categorical[:, 1:], batch.categorical[:, 1:])
    assert replaced.categorical.dtype == torch.int32


def test_labels_groups_and_weights_stay() -> None:
    labels, weight, group = torch.rand(20, 2), torch.rand(20), torch.arange(20)
    batch = replace(batch_of(20), labels=labels, weight=weight, group=group)
    replaced = replacement(1.0)(batch, step=1)
    assert replaced.labels is labels
    assert replaced.weight is weight
    assert replaced.group is group


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0, 1), seed=st.integers(0, 2**63 - 1), step=st.integers(1, 10**9))
def test_frequent_ids_padding_and_out_of_vocabulary_stay(share: float, seed: int, step: int) -> None:
    batch = batch_of(200)
    replaced = replacement(share, seed)(batch, step=step)
    changed = replaced.categorical != batch.categorical
    assert not changed[:, 1:].any()
    assert ((batch.categorical[:, 0][changed[:, 0]] >= 4) & (batch.categorical[:, 0][changed[:, 0]] <= 8)).all()
    assert (replaced.categorical[:, 0][changed[:, 0]] == 9).all()
    assert ((sequence_of(batch) == 0) == (sequence_of(replaced) == 0)).all()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_the_share_that_is_replaced_is_the_one_asked_for(share: float) -> None:
    batch = batch_of(100_000)
    rare = (batch.categorical[:, 0] >= 4) & (batch.categorical[:, 0] <= 8)
    num_rare = int(rare.sum())
    num_replaced = int((replacement(share)(batch, step=7).categorical[:, 0] != batch.categorical[:, 0]).sum())
    deviation = (num_rare * share * (1 - share)) ** 0.5
    assert abs(num_replaced - num_rare * share) < 5 * deviation  # exceeded by one run in a million


def test_what_is_replaced_depends_on_seed_and_step_alone() -> None:
    batch = batch_of(2000)
    first = replacement(0.3, seed=5)(batch, step=3)
    unseen = replacement(0.3, seed=5)
    unseen(batch, step=1)  # earlier steps have no influence
    assert torch.equal(unseen(batch, step=3).categorical, first.categorical)
    assert torch.equal(sequence_of(unseen(batch, step=3)), sequence_of(first))
    assert not torch.equal(unseen(batch, step=4).categorical, first.categorical)
    assert not torch.equal(replacement(0.3, seed=6)(batch, step=3).categorical, first.categorical)
    (over,) = unseen.replace_in([(batch, (0, 2000, 2000))], first_step=3)
    assert torch.equal(over.categorical, first.categorical)


def test_shares_of_a_batch_have_the_replacements_of_the_whole() -> None:
    batch, unseen = batch_of(2000), replacement(0.3)
    whole = unseen(batch, step=3)
    shares, places = batch.split(500), [(start, start + 500, 2000) for start in range(0, 2000, 500)]
    replaced = [unseen(share, step=3, place=place) for share, place in zip(shares, places, strict=True)]
    assert torch.equal(torch.cat([share.categorical for share in replaced]), whole.categorical)
    assert torch.equal(torch.cat([sequence_of(share) for share in replaced]), sequence_of(whole))


def test_the_given_batch_stays_as_it_is() -> None:
    batch, same = batch_of(100), batch_of(100)
    replacement(1.0)(batch, step=1)
    assert torch.equal(batch.categorical, same.categorical)
    assert torch.equal(sequence_of(batch), sequence_of(same))


def test_rare_is_at_most_so_often_in_train(recipe: Recipe) -> None:
    dataset = prepare(recipe.data)  # sites: b four times, a four times, c twice
    ids = torch.arange(5, dtype=torch.int32)
    batch = Batch(torch.stack([ids, torch.ones_like(ids)], dim=1), torch.zeros(5, 1), None, None)
    unseen = RareAsUnseen.of(dataset, RareAsUnseenSettings(share=1.0, max_count=2), seed=1)
    assert unseen is not None
    assert unseen(batch, step=1).categorical[:, 0].tolist() == [0, 1, 2, 4, 4]
    unseen = RareAsUnseen.of(dataset, RareAsUnseenSettings(share=1.0, max_count=4), seed=1)
    assert unseen is not None
    assert unseen(batch, step=1).categorical[:, 0].tolist() == [0, 4, 4, 4, 4]


@pytest.mark.parametrize(("share", "max_count"), [(0.0, 100), (1.0, 1)], ids=["share 0", "nothing is rare"])
def test_where_nothing_would_be_replaced_there_is_no_replacement(recipe: Recipe, share: float, max_count: int) -> None:
    dataset = prepare(recipe.data)
    assert RareAsUnseen.of(dataset, RareAsUnseenSettings(share=share, max_count=max_count), seed=1) is None


@pytest.mark.parametrize(("share", "learns"), [(0.0, False), (0.5, True)], ids=["share 0", "share 0.5"])
def test_the_out_of_vocabulary_row_learns(recipe: Recipe, tmp_path: Path, share: float, learns: bool) -> None:
    changes = {"training.rare_as_unseen": {"share": share, "max_count": 2}, "training.epochs": 2}
    trained = [
        train(with_overrides(recipe, changes | {"training.epochs": epochs}), folder=tmp_path / f"{epochs}").ranker
        for epochs in (1, 2)
    ]
    # rows: padding, sites b, a, c, out of vocabulary, then devices
    rows = [ranker.embedding.table[4].detach() for ranker in trained]
    initial = [row.norm().item() < 1e-3 for row in rows]  # drawn from N(0, 1e-4)
    assert all(initial) is not learns


@pytest.mark.parametrize("trained", [False, True], ids=["frozen", "trained"])
def test_features_whose_vectors_cannot_learn_keep_their_ids(
    recipe_values: dict[str, Any], click_log: Path, trained: bool
) -> None:
    np.savez(click_log / "vectors.npz", key=np.array(["a", "b"]), value=np.eye(2, dtype=np.float32))
    recipe_values["data"]["fields"] = [
        {"kind": "categorical", "column": "site", "pretrained": {"file": "vectors.npz", "trained": trained}},
        {"kind": "categorical", "column": "device"},
        {"kind": "sequence", "column": "site", "name": "sites", "separator": "|", "max_length": 1, "shares": "site"},
    ]
    dataset = prepare(recipe_from_values(recipe_values).data)
    unseen = RareAsUnseen.of(dataset, RareAsUnseenSettings(share=1.0, max_count=100), seed=1)
    assert unseen is not None
    ids = torch.ones(1, 1, dtype=torch.int32)
    replaced = unseen(Batch(ids.repeat(1, 2), torch.zeros(1, 0), None, None, sequence=ids), step=1)
    site, device = (feature.num_ids - 1 for feature in dataset.schema.categorical)
    assert replaced.categorical.tolist() == [[site if trained else 1, device]]
    assert sequence_of(replaced).tolist() == [[site if trained else 1]]
