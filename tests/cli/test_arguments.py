"""Patterns of runs, and choices that the command line knows without loading torch."""

from pathlib import Path

import pytest

from rankelastor.cli.arguments import Measure, find_run, find_runs
from rankelastor.cli.data import DATASET_IDS
from rankelastor.data.published.catalogue import DATASETS
from rankelastor.errors import RunError
from rankelastor.spectrum.measures import MEASURES


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the runs a-1, a-2 and b, a folder a-3 that is no run, and go there."""
    for name in ("a-2", "a-1", "b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.yaml").touch()
    (tmp_path / "runs" / "a-3").mkdir()
    monkeypatch.chdir(tmp_path)
    return Path("runs")


def test_a_pattern_gives_the_runs_that_match_in_order_of_name(runs: Path) -> None:
    assert find_runs([Path("runs/a-*")]) == [runs / "a-1", runs / "a-2"]


def test_a_pattern_adds_the_runs_that_are_not_named_already(runs: Path) -> None:
    assert find_runs([runs / "b", Path("runs/*")]) == [runs / "b", runs / "a-1", runs / "a-2"]


def test_a_name_without_magic_is_left_to_those_who_open_it() -> None:
    assert find_runs([Path("nowhere")]) == [Path("nowhere")]


def test_a_folder_whose_name_looks_like_a_pattern_is_that_folder(runs: Path) -> None:
    odd = runs / "seed[1]"
    odd.mkdir()
    assert find_runs([odd]) == [odd]


def test_a_pattern_that_matches_no_run_is_an_error(runs: Path) -> None:
    with pytest.raises(RunError, match=r"but none matches runs/c-\*; see what runs holds"):
        find_runs([Path("runs/c-*")])


def test_where_one_run_is_asked_for_a_pattern_must_match_one(runs: Path) -> None:
    assert find_run(Path("runs/b*")) == runs / "b"
    with pytest.raises(RunError, match=r"runs/a-\* matches 2: runs/a-1, runs/a-2; name one of them"):
        find_run(Path("runs/a-*"))


def test_the_choices_in_the_help_are_those_of_the_library() -> None:
    assert [measure.value for measure in Measure] == list(MEASURES)
    assert list(DATASET_IDS) == [dataset.id for dataset in DATASETS]
