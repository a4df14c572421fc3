"""Tests that the batches of an epoch follow the settings."""

import pytest
import torch

from rankelastor.data import remote_shards
from rankelastor.data.prepare import open_or_prepare
from rankelastor.errors import SettingsError
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.remote.remote_path import RemotePath
from rankelastor.schema import Batch
from rankelastor.training.epoch_batches import epoch_batches, scoring_loader, training_loader
from rankelastor.training.rare_as_unseen import RareAsUnseen

CPU = torch.device("cpu")


def batches(recipe: Recipe, *, epoch: int = 1) -> list[Batch]:
    dataset, settings = open_or_prepare(recipe.data), recipe.training
    rare = RareAsUnseen.of(dataset, settings.rare_as_unseen, seed=settings.seed)
    loader = training_loader(dataset, settings)
    depth = settings.execution.read_ahead
    with epoch_batches(loader, epoch=epoch, read_ahead=depth, device=CPU, rare_as_unseen=rare) as ahead:
        return list(ahead)


def ids(found: list[Batch]) -> list[list[int]]:
    rows: list[list[int]] = torch.cat([batch.categorical for batch in found]).tolist()
    return rows


def test_all_rows_come_once_in_batches_of_the_size_set(recipe: Recipe) -> None:
    found = batches(with_overrides(recipe, {"training.rare_as_unseen.share": 0}))
    assert [batch.num_examples for batch in found] == [4, 4, 2]
    everything = next(scoring_loader(open_or_prepare(recipe.data), "train", recipe.training).epoch())
    assert sorted(ids(found)) == sorted(everything.categorical.tolist())


@pytest.mark.parametrize("depth", [0, 1, 8])
def test_reading_ahead_changes_nothing(recipe: Recipe, depth: int) -> None:
    assert ids(batches(with_overrides(recipe, {"training.read_ahead": depth}))) == ids(batches(recipe))


def test_the_order_and_the_epoch_decide(recipe: Recipe) -> None:
    window = {"training.order": {"kind": "window", "block_rows": 2, "window_rows": 4}}
    found = [ids(batches(recipe)), ids(batches(recipe, epoch=2)), ids(batches(with_overrides(recipe, window)))]
    assert len({str(rows) for rows in found}) == 3


def test_rare_values_are_replaced(recipe: Recipe) -> None:
    kept, replaced = (
        batches(with_overrides(recipe, {"training.rare_as_unseen": {"share": share, "max_count": 2}}))
        for share in (0.0, 1.0)
    )
    last = max(row[0] for row in ids(replaced))
    assert last not in {row[0] for row in ids(kept)}  # the out-of-vocabulary id of the site
    assert last in {row[0] for row in ids(replaced)}


def test_rows_at_an_address_that_memory_does_not_hold_are_read_in_windows(
    recipe: Recipe, bucket: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_shards, "_memory_share", lambda: 600)
    dataset = open_or_prepare(with_overrides(recipe, {"data.prepared": str(bucket / "prepared")}).data)
    uniform = with_overrides(recipe, {"training.order": {"kind": "uniform"}}).training
    with pytest.raises(
        SettingsError, match=r"training.order must be \{kind: window\} for rows at an address that memory"
    ):
        training_loader(dataset, uniform)
    window = {"kind": "window", "block_rows": 2, "window_rows": 100}
    with pytest.raises(
        SettingsError, match=r"training.order.window_rows must be lower, .* but 100 was given.*; try \d+"
    ):
        training_loader(dataset, with_overrides(recipe, {"training.order": window}).training)
    small = with_overrides(recipe, {"training.order": window | {"window_rows": 4}}).training
    assert sum(batch.num_examples for batch in training_loader(dataset, small).epoch(1)) == 10
