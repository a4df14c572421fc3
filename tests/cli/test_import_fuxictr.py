"""`rankelastor import-fuxictr`: it writes a recipe and prints notes on the import."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.recipes.load import load_recipe

runner = CliRunner()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "model_config.yaml").write_text(
        "tiny: {model: DESTINE, dataset_id: log, embedding_dim: 4, batch_size: 8, epochs: 2, seed: 7, patience: 3,"
        " regulariser: x}\n"
    )
    (folder / "dataset_config.yaml").write_text(
        "log: {data_format: csv, train_data: raw/train.csv, valid_data: raw/valid.csv, label_col: {name: click},\n"
        "      feature_cols: [{name: [site, user], type: categorical, dtype: str}]}\n"
    )
    return folder


def test_the_recipe_is_written_and_the_notes_are_shown(config: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "made" / "tiny.yaml"
    done = runner.invoke(app, ["import-fuxictr", str(config), "--expid", "tiny", "--to", str(recipe)])
    assert done.exit_code == 0, done.output
    for text in (
        "Settings that have no equal here",
        "regulariser",
        "it belongs to DESTINE",
        "accepts and ignores",
        "patience",
    ):
        assert text in done.output
    assert load_recipe(recipe).training.seed == 7
    assert "#   patience: 3 - " in recipe.read_text()


def test_a_recipe_that_is_there_stays_unless_forced(config: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("mine")
    arguments = ["import-fuxictr", str(config), "--expid", "tiny", "--to", str(recipe)]
    failed = runner.invoke(app, arguments)
    assert failed.exit_code == 2
    assert "must be a new file" in failed.output
    assert recipe.read_text() == "mine"
    assert runner.invoke(app, [*arguments, "--force"]).exit_code == 0
    assert load_recipe(recipe).name == "tiny"


def test_a_mistake_writes_nothing(config: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "a.yaml"
    failed = runner.invoke(app, ["import-fuxictr", str(config), "--expid", "tinny", "--to", str(recipe)])
    assert failed.exit_code == 2
    assert "did you mean tiny?" in failed.output
    assert not recipe.exists()
