import pickle
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.conftest import CLICKS

from rankelastor.recipes.recipe import Recipe
from rankelastor.serving import predict as serving
from rankelastor.serving.predict import predict
from rankelastor.training.run import train


class TasksOnCopies:
    """An executor that runs tasks on copies, as the workers of a cluster do."""

    shares_memory = False

    def map(self, work: Callable[..., Any], items: Any, *shared: Any) -> Iterator[Any]:
        held = [pickle.loads(pickle.dumps((item, *shared))) for item in items]
        yield from (work(*arguments) for arguments in held)


@pytest.fixture
def run(recipe: Recipe, tmp_path: Path) -> Path:
    """A run, beside the rows of two days in ``new``."""
    for day in (1, 2):
        (tmp_path / f"new/dt={day}").mkdir(parents=True)
        (tmp_path / f"new/dt={day}/part.csv").write_text(CLICKS)
    return train(recipe, folder=tmp_path / "run").folder


def assert_scored_alike(folder: Path) -> None:
    """What was scored by tasks has the rows, the probabilities and the report of what was scored here."""
    here, there = (pl.read_parquet(folder / name) for name in ("here.parquet", "there.parquet"))
    assert there.drop("probability").equals(here.drop("probability"))
    assert there["probability"].to_list() == pytest.approx(here["probability"].to_list(), abs=1e-7)
    assert (folder / "there.json").read_text() == (folder / "here.json").read_text()


def test_rows_scored_by_tasks_are_those_scored_here(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert predict(run, tmp_path / "new", tmp_path / "here.parquet", report=tmp_path / "here.json") == 20
    monkeypatch.setattr(serving, "open_executor", lambda *_: nullcontext(TasksOnCopies()))
    assert predict(run, tmp_path / "new", tmp_path / "there.parquet", report=tmp_path / "there.json") == 20
    assert_scored_alike(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_rows_scored_by_a_cluster_are_those_scored_here(run: Path, tmp_path: Path, ray_cluster: Any) -> None:
    for executor, name in (("local", "here"), ("ray", "there")):
        output, report = tmp_path / f"{name}.parquet", tmp_path / f"{name}.json"
        assert predict(run, tmp_path / "new", output, report=report, executor=executor) == 20
    assert_scored_alike(tmp_path)
