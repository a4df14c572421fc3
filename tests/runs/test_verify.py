"""Tests that a damaged, missing or foreign part of a folder is named."""

import json
from pathlib import Path

import pytest
from tests.data.older_folders import make_older

from rankelastor.errors import RunError
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.verify import verify
from rankelastor.training.run import train


@pytest.fixture
def run(recipe: Recipe, tmp_path: Path) -> Path:
    """A finished run."""
    return train(recipe, folder=tmp_path / "run").folder


def test_each_damaged_file_of_a_run_is_named(run: Path) -> None:
    found = verify(run)
    assert (found.kind, found.damage, found.unchecked) == ("run", {}, ())
    assert found.num_files == 8
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.is_file() and path.name != "train.log":
            whole = path.read_bytes()
            path.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
            assert any(name in where for where in verify(run).damage), name
            path.write_bytes(whole)
    (run / "result.json").unlink()
    assert verify(run).damage == {"result.json": "there is no such file"}


def test_other_files_are_listed(run: Path) -> None:
    (run / "notes.txt").write_text("mine")
    assert verify(run).unchecked == ("notes.txt",)


def test_each_damaged_file_of_a_prepared_folder_is_named(run: Path, recipe: Recipe) -> None:
    folder = Path(recipe.data.prepared)
    assert verify(folder).is_whole
    assert verify(folder).kind == "prepared"
    (folder / "test" / "part-00000.arrow").write_bytes(b"")
    assert list(verify(folder).damage) == ["test/part-00000.arrow"]
    (folder / "schema.json").write_text("{")
    assert list(verify(folder).damage) == ["schema.json"]


def test_folders_of_earlier_versions_are_checked_as_far_as_possible(run: Path, recipe: Recipe) -> None:
    make_older(Path(recipe.data.prepared))
    assert (verify(recipe.data.prepared).num_files, verify(recipe.data.prepared).damage) == (0, {})
    (run / "checksums.json").unlink()
    environment = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps(environment | {"format_version": 2}))
    assert verify(run).is_whole
    (run / "result.json").write_text("{")
    assert list(verify(run).damage) == ["model"]


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"must be a run folder .* or a bundle, but it is none of them"):
        verify(tmp_path)
    with pytest.raises(RunError, match="but there is no such folder"):
        verify(tmp_path / "nowhere")
