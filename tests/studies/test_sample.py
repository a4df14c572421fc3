import json
from pathlib import Path

import polars as pl
import pytest

from rankelastor.errors import RunError
from rankelastor.recipes.load import load_recipe
from rankelastor.studies.sample import write_sample


def test_a_sample_is_a_log_its_recipe_and_rows_to_score(tmp_path: Path) -> None:
    sample = write_sample(tmp_path / "a b", num_rows=1000)
    recipe = load_recipe(sample.recipe)
    assert recipe.data.files.folder == str(tmp_path / "a b")
    assert pl.read_csv(tmp_path / "a b" / "train.csv").height == 800
    assert "click" not in pl.read_csv(sample.new_rows).columns
    best = json.loads((tmp_path / "a b" / "truth.json").read_text())["best_possible"]["test"]["auc"]
    assert best == sample.log.best["test"].auc > 0.7


def test_a_sample_is_written_again_over_itself_alone(tmp_path: Path) -> None:
    first = write_sample(tmp_path / "s", num_rows=1000)
    before = first.new_rows.read_bytes()
    (tmp_path / "s" / "prepared").mkdir()
    assert write_sample(tmp_path / "s", num_rows=1000).new_rows.read_bytes() == before
    (tmp_path / "s" / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="must have its own folder"):
        write_sample(tmp_path / "s", num_rows=1000)
