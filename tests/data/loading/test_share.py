"""A share of the rows of train: the same rows in every epoch, and those of every smaller share among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.conftest import tiny_values

from rankelastor.config.training import TrainingSettings
from rankelastor.data.prepare import prepare
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.training.epoch_batches import training_loader


def rows_of_epoch(share: float, epoch: int, folder: Path, log: Path, *, seed: int = 1) -> list[int]:
    recipe = recipe_from_values(tiny_values(log, prepared=folder / "prepared"))
    training = with_overrides(recipe, {"training.train_share": share, "training.seed": seed}).training
    loader = training_loader(prepare(recipe.data), training)
    return [row for batch in range(len(loader)) for row in loader.rows(epoch, batch)]


def test_a_share_is_the_same_in_every_epoch_and_holds_smaller_ones(click_log: Path, tmp_path: Path) -> None:
    half = rows_of_epoch(0.5, 1, tmp_path, click_log)
    assert len(half) == 5
    assert sorted(half) == sorted(rows_of_epoch(0.5, 2, tmp_path, click_log, seed=9))
    assert set(rows_of_epoch(0.3, 1, tmp_path, click_log)) < set(half)
    assert sorted(rows_of_epoch(1.0, 1, tmp_path, click_log)) == list(range(10))


def test_a_share_does_not_go_with_other_choices_of_rows() -> None:
    with pytest.raises(ValidationError, match="train_share must be 1 with negatives_kept"):
        TrainingSettings(train_share=0.5, negatives_kept=0.5)
