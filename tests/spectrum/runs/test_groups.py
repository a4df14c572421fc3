"""Runs that are seeds of one model are found by their recipes, by their names, or by patterns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rankelastor.errors import RunError
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.run_folder import RunFolder
from rankelastor.spectrum.runs.groups import group_runs


def make(folder: Path, run: str, recipe: Recipe, **changes: Any) -> Path:
    """Make a run folder that holds its recipe alone."""
    overrides = {path.replace("__", "."): value for path, value in changes.items()}
    return RunFolder.create(folder / run, with_overrides(recipe, overrides)).path


def test_runs_belong_together_whose_recipes_are_equal_but_for_the_seed(recipe: Recipe, tmp_path: Path) -> None:
    a1 = make(tmp_path, "a-1", recipe, training__seed=1)
    b1 = make(tmp_path, "b-1", recipe, training__seed=1, model__ffn__dropout=0.2)
    a2 = make(tmp_path, "a-2", recipe, training__seed=2, name="another", training__execution__threads=1)
    b2 = make(tmp_path, "b-2", recipe, training__seed=2, model__ffn__dropout=0.2, spectrum__every_steps=7)
    found = group_runs([a1, b1, a2, b2])
    assert [(group.name, group.folders, group.differences) for group in found] == [
        ("a", (a1, a2), ()),
        ("b", (b1, b2), ()),
    ]


def test_runs_may_be_grouped_by_name_and_their_other_differences_are_listed(recipe: Recipe, tmp_path: Path) -> None:
    one = make(tmp_path, "mixer-seed1", recipe, training__seed=1)
    two = make(tmp_path, "mixer-seed2", recipe, training__seed=2, model__ffn__dropout=0.3)
    (group,) = group_runs([one, two], by=["name"])
    assert (group.name, group.differences) == ("mixer", ("model.ffn.dropout",))


def test_runs_may_be_grouped_by_patterns_and_others_stand_alone(recipe: Recipe, tmp_path: Path) -> None:
    folders = [make(tmp_path, f"{name}", recipe, training__seed=seed) for seed, name in enumerate(("a-x", "b", "a-y"))]
    pair, alone = group_runs(folders, by=["a-*"])
    assert (pair.name, len(pair.folders)) == ("a", 2)
    assert (alone.name, len(alone.folders)) == ("b", 1)


def test_groups_of_one_name_are_numbered(recipe: Recipe, tmp_path: Path) -> None:
    runs = [make(tmp_path / str(seed), "a", recipe, training__seed=seed) for seed in (1, 2)]
    runs += [make(tmp_path / f"x{n}", "a", recipe, training__seed=n, model__ffn__dropout=0.4) for n in (1, 2)]
    assert [group.name for group in group_runs(runs)] == ["a (1)", "a (2)"]


def test_the_same_seed_twice_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    runs = [make(tmp_path, name, recipe, training__seed=5) for name in ("a-1", "a-2")]
    with pytest.raises(RunError, match=r"must have different seeds, but .*a-1 and .*a-2 both have seed 5"):
        group_runs(runs)
