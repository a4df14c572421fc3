"""Tests of what the verb prints, and of its exit code."""

import json
from pathlib import Path

import pytest
from tests.data.older_folders import make_older
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.run import train


def verify(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["verify", *arguments])
    return result.exit_code, result.stdout


@pytest.fixture
def run(recipe: Recipe, tmp_path: Path) -> Path:
    """A finished run."""
    return train(recipe, folder=tmp_path / "run").folder


def test_a_whole_folder_is_said_to_be_whole_and_a_damaged_file_is_named(run: Path, recipe: Recipe) -> None:
    code, said = verify(str(run))
    assert code == 0
    assert said.startswith(f"run folder {run}: 8 files, ")
    assert said.endswith("all are whole\n")
    (run / "metrics.jsonl").write_text("{}")
    code, said = verify(str(run))
    assert code == 2
    assert said.startswith("metrics.jsonl: it has 2 bytes and not ")
    code, said = verify(str(run), "--json")
    assert (code, json.loads(said)["is_whole"], list(json.loads(said)["damage"])) == (2, False, ["metrics.jsonl"])
    make_older(Path(recipe.data.prepared))
    code, said = verify(recipe.data.prepared)
    assert (code, "written by an earlier version, without checksums" in said) == (0, True)
