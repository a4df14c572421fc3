"""Logs of next to no rows, and batches and files out of all proportion: they work, or one message says why not."""

from pathlib import Path
from typing import Any

import pytest

from rankelastor.data.prepare import prepare
from rankelastor.errors import DataError
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.run import train

HEADER = "click,site,device,price,user\n"


def test_one_row_cannot_be_trained_on(recipe: Recipe, click_log: Path) -> None:
    (click_log / "train.csv").write_text(f"{HEADER}1,a,phone,1.5,u1\n")
    with pytest.raises(DataError, match=r"the split train must hold labels 0 and 1, but all its 1 labels are 1"):
        prepare(recipe.data)


def test_one_row_cannot_be_validated_on(recipe: Recipe, click_log: Path) -> None:
    (click_log / "valid.csv").write_text(f"{HEADER}0,a,phone,1.5,u1\n")
    with pytest.raises(DataError, match=r"the split valid must hold labels 0 and 1, but all its 1 labels are 0"):
        prepare(recipe.data)


def test_one_row_cannot_be_split(recipe_values: dict[str, Any], click_log: Path) -> None:
    (click_log / "train.csv").write_text(f"{HEADER}1,a,phone,1.5,u1\n")
    recipe_values["data"] |= {"files": {"folder": str(click_log), "all": "train.csv"}, "split": {"kind": "random"}}
    with pytest.raises(DataError, match=r"the split \w+ must hold rows, but 0\.1 of 1 rows is none; raise its share"):
        prepare(recipe_from_values(recipe_values).data)


def test_a_batch_larger_than_the_data_is_one_step(recipe: Recipe, tmp_path: Path) -> None:
    run = train(with_overrides(recipe, {"training.batch_size": 1_000_000, "training.epochs": 2}), folder=tmp_path / "r")
    assert run.result.steps == 2


def test_many_tiny_files_are_one_log(recipe_values: dict[str, Any], click_log: Path) -> None:
    rows = (click_log / "train.csv").read_text().splitlines(keepends=True)[1:]
    (click_log / "parts").mkdir()
    for number in range(150):
        (click_log / "parts" / f"{number:03d}.csv").write_text(HEADER + "".join(rows[:2]))
    recipe_values["data"]["files"]["train"] = "parts/*.csv"
    assert prepare(recipe_from_values(recipe_values).data).manifest.splits["train"].num_rows == 300
