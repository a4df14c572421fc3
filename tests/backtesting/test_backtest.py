"""A backtest: each day tested on the next, cold and warm, and gone on with after a stop."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.backtesting.drifting_recipe import drifting_recipe
from tests.training.resumed_runs import Kill, KilledError

from rankelastor.backtesting.backtest import backtest
from rankelastor.backtesting.page import days_table, verdict_on
from rankelastor.backtesting.record import BacktestResult, DayRecord
from rankelastor.errors import RunError, SettingsError
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.run_folder import RunFolder
from rankelastor.training.observers import TrainingObserver


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    values = drifting_recipe(tmp_path, vocabulary=80, rows_per_day=400, churn=0.1, min_count=2)
    return recipe_from_values(values)


class Listener:
    """Keeps the trainings and days that it hears of, and kills one training."""

    def __init__(self, kill: str | None = None) -> None:
        self.trainings: list[str] = []
        self.days: list[str] = []
        self._kill = kill

    def observers(self, arm: str, day: str, number: int, total: int) -> Sequence[TrainingObserver]:
        self.trainings.append(f"{arm} {day} {number}/{total}")
        return [Kill(2)] if self._kill == f"{arm} {day}" else []

    def on_day(self, record: DayRecord) -> None:
        self.days.append(record.tested_on)


def figures_of(result: BacktestResult) -> list[dict[str, Any]]:
    found = [day.as_dict() for day in result.days]
    for day in found:
        for arm in ("cold", "warm"):
            del day[arm]["run"], day[arm]["seconds"]
    return found


def test_each_day_is_tested_on_the_next_and_a_stopped_backtest_goes_on(recipe: Recipe, tmp_path: Path) -> None:
    listener = Listener()
    whole = backtest(recipe, by="day", folder=tmp_path / "whole", listener=listener)
    assert listener.trainings == ["warm 2026-01-01 1/3", "cold 2026-01-02 2/3", "warm 2026-01-02 3/3"]
    assert listener.days == [day.tested_on for day in whole.days] == ["2026-01-02", "2026-01-03"]
    first, second = whole.days
    assert first.arms["cold"].metrics == first.arms["warm"].metrics
    assert second.num_train_rows + 120 == pytest.approx(400, abs=40)
    assert second.num_test_rows == 400
    assert second.arms["warm"].unseen_share < second.arms["cold"].unseen_share, "the first day is known too"
    warm = RunFolder(second.arms["warm"].run)
    assert warm.environment()["started_from"]["run"] == str(first.arms["warm"].run.resolve())
    again_auc = evaluate(warm.path).value("auc")
    assert again_auc == pytest.approx(second.value("warm", "auc"), abs=1e-6), "runs are ordinary ones"

    killed = Listener(kill="warm 2026-01-02")
    with pytest.raises(KilledError):
        backtest(recipe, by="day", folder=tmp_path / "killed", listener=killed)
    again = Listener()
    result = backtest(recipe, by="day", folder=tmp_path / "killed", listener=again)
    assert again.trainings == ["warm 2026-01-02 3/3"]
    assert figures_of(result) == figures_of(whole)

    values = json.loads((tmp_path / "whole" / "backtest.json").read_text())
    assert values == whole.as_dict()
    lines = list(csv.DictReader(io.StringIO((tmp_path / "whole" / "backtest.csv").read_text())))
    assert [(line["tested_on"], line["start"]) for line in lines][:2] == [
        ("2026-01-02", "cold"),
        ("2026-01-02", "warm"),
    ]
    assert float(lines[3]["auc"]) == second.value("warm", "auc")
    assert (tmp_path / "whole" / "report.html").stat().st_size > 1000
    table = days_table(whole)
    assert [row[0] for row in table.rows] == ["2026-01-01", "2026-01-02", "mean"]
    assert "mean test AUC" in verdict_on(whole)

    with pytest.raises(RunError, match="holds a backtest with another window"):
        backtest(recipe, by="day", folder=tmp_path / "whole", window=2)
    other = with_overrides(recipe, {"training.epochs": 2})
    with pytest.raises(RunError, match="holds a backtest with another recipe"):
        backtest(other, by="day", folder=tmp_path / "whole")
    log = pl.read_parquet(tmp_path / "log.parquet")
    log.head(1000).write_parquet(tmp_path / "log.parquet")
    with pytest.raises(RunError, match="holds a backtest with another data"):
        backtest(recipe, by="day", folder=tmp_path / "whole")


@pytest.mark.slow
def test_the_cold_ranker_is_trained_on_the_days_of_the_window(recipe: Recipe, tmp_path: Path) -> None:
    result = backtest(recipe, by="day", folder=tmp_path / "two", window=2)
    (trained,) = [RunFolder(result.days[1].arms["cold"].run).recipe().data.files.train]
    assert trained is not None
    assert len(trained) == 2


def test_mistakes_are_refused_before_anything_is_written(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="window must be at least 1 day, but 0 was given"):
        backtest(recipe, by="day", folder=tmp_path / "none", window=0)
    with pytest.raises(SettingsError, match="the format of the days must be one that is known"):
        backtest(recipe, by="day", folder=tmp_path / "none", day_format="seconds")
    assert not (tmp_path / "none").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    with pytest.raises(RunError, match="holds something else"):
        backtest(recipe, by="day", folder=tmp_path / "other")
