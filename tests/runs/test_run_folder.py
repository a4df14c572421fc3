"""Tests of run folders and their format version."""

import json
from pathlib import Path

import pytest

from rankelastor.errors import RunError
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.run_folder import FORMAT_VERSION, RunFolder


@pytest.fixture
def run(recipe: Recipe, tmp_path: Path) -> RunFolder:
    """A new run folder."""
    return RunFolder.create(tmp_path / "run", recipe)


def test_a_folder_tells_its_format(run: RunFolder) -> None:
    run.write_environment({"device": "cpu"})
    assert RunFolder.open(run.path).format_version == FORMAT_VERSION
    assert json.loads((run.path / "environment.json").read_text()) == {"format_version": 3, "device": "cpu"}


def test_a_folder_that_does_not_tell_is_of_version_0_1_0(run: RunFolder) -> None:
    assert RunFolder.open(run.path).format_version == 1
    (run.path / "environment.json").write_text('{"device": "cpu"}')
    assert RunFolder.open(run.path).format_version == 1


def test_a_newer_format_is_refused(run: RunFolder) -> None:
    (run.path / "environment.json").write_text('{"format_version": 4}')
    with pytest.raises(RunError, match=r"must have format_version 3 or lower, but .*run has 4: a newer version of"):
        RunFolder.open(run.path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"environment\.json must hold JSON, but cannot be read"),
        ("[]", r"environment\.json must hold a JSON mapping, but holds list"),
        ('{"format_version": "two"}', "format_version must be a whole number, but 'two' was given"),
    ],
)
def test_a_damaged_environment_is_an_error(run: RunFolder, text: str, message: str) -> None:
    (run.path / "environment.json").write_text(text)
    with pytest.raises(RunError, match=message):
        RunFolder.open(run.path)


def test_a_run_that_was_stopped_has_no_result(run: RunFolder) -> None:
    assert not run.has_result
    with pytest.raises(RunError, match=r"must hold result\.json, but .* does not: it was stopped early"):
        run.result()
