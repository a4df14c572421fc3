import json
from pathlib import Path

import polars as pl
import pytest

from rankelastor.errors import RunError
from rankelastor.recipes.load import load_recipe, with_overrides
from rankelastor.studies.sample import write_sample
from rankelastor.training.run import train


def test_a_sample_is_a_log_its_recipe_and_rows_to_score(tmp_path: Path) -> None:
    sample = write_sample(tmp_path / "a b", num_rows=1000)
    recipe = load_recipe(sample.recipe)
    assert recipe.data.files.folder == str(tmp_path / "a b")
    assert pl.read_csv(tmp_path / "a b" / "train.csv").height == 800
    assert "click" not in pl.read_csv(sample.new_rows).columns
    best = json.loads((tmp_path / "a b" / "truth.json").read_text())["best_possible"]["test"]["auc"]
    assert best == sample.log.best["test"].auc > 0.7


def test_a_second_label_follows_the_first_and_changes_nothing_else(tmp_path: Path) -> None:
    write_sample(tmp_path / "one", num_rows=2000)
    write_sample(tmp_path / "two", num_rows=2000, second_label=True)
    one, two = (pl.read_csv(tmp_path / name / "train.csv") for name in ("one", "two"))
    assert two.drop("buy").equals(one)
    assert 0 < two["buy"].sum() < two["click"].sum()
    assert (two["click"] >= two["buy"]).all()
    recipe = load_recipe(tmp_path / "two" / "recipe.yaml")
    assert [target.task for target in recipe.data.targets] == ["click", "buy"]
    result = train(with_overrides(recipe, {"training.epochs": 1}), folder=tmp_path / "run").result
    assert set(result.test["tasks"]) == {"click", "buy"}


def test_a_sample_is_written_again_over_itself_alone(tmp_path: Path) -> None:
    first = write_sample(tmp_path / "s", num_rows=1000)
    before = first.new_rows.read_bytes()
    (tmp_path / "s" / "prepared").mkdir()
    assert write_sample(tmp_path / "s", num_rows=1000).new_rows.read_bytes() == before
    (tmp_path / "s" / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="must have its own folder"):
        write_sample(tmp_path / "s", num_rows=1000)
