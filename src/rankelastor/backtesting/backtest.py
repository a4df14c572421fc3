"""Backtest a recipe: train it on each day of a log, from scratch and going on, and test it on the next day."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from rankelastor.backtesting.backtest_folder import BacktestFolder
from rankelastor.backtesting.day_files import DayFiles, write_days
from rankelastor.backtesting.page import render_page
from rankelastor.backtesting.record import ARMS, Arm, ArmFigures, BacktestResult, DayRecord
from rankelastor.data.cells.time_formats import TimeFormat
from rankelastor.data.fingerprint import record_sources
from rankelastor.data.prepare import prepare
from rankelastor.data.raw.source_files import find_source_files
from rankelastor.data.split_settings import RandomSplit, TimeSplit
from rankelastor.errors import SettingsError
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.run_folder import RunFolder
from rankelastor.training.interruption import Interruption
from rankelastor.training.observers import TrainingObserver
from rankelastor.training.run import train

_VALID_SHARE = 0.1
_OF_DAYS = {"training.baseline": False, "training.checkpoint.keep_after_end": True, "data.extendable": True}
"""What the trainings of days need: the state of their optimizer, and counts of rare values."""


class BacktestListener(Protocol):
    """What hears of the trainings."""

    def observers(self, arm: Arm, day: str, number: int, total: int) -> Sequence[TrainingObserver]:
        """Return the observers of a training, the ``number``-th of ``total``."""

    def on_day(self, record: DayRecord) -> None:
        """Hear of a day on which all rankers are tested."""


def backtest(
    recipe: Recipe,
    *,
    by: str,
    day_format: str | None = None,
    window: int = 1,
    folder: str | Path | None = None,
    listener: BacktestListener | None = None,
    progress: ProgressListener | None = None,
    interruption: Interruption | None = None,
) -> BacktestResult:
    """Train a recipe on each day of its log but the last, and test it on the day after.

    Two rankers are compared. The cold one is trained from scratch on the last ``window`` days, with vocabularies of
    these days. The warm one goes on from that of the day before: the day is taken in by ``prepare`` with ``extend``,
    and ``train`` starts from the run before it. Both hold out the same rows of the day as valid.

    A folder that holds the same backtest is gone on with: what is finished is not done again.

    Args:
        recipe: data, model and training. All of its raw files are read as one log; its splits are not used.
        by: the column of the days: dates, times (of which the day in UTC counts) or whole numbers.
        day_format: how times are written in it, as in ``data.split.format``.
        window: number of days that the cold ranker is trained on.
        folder: folder of the backtest; None selects ``backtests/<name of the recipe>``.
        listener: hears of the trainings.
        progress: receives the progress of reading, preparation and scoring.
        interruption: hands requests to stop to the training, which saves its state before it raises them.

    Example:
        >>> from rankelastor import backtest, load_recipe
        >>> # backtest(load_recipe("recipe.yaml"), by="day").mean("warm", "auc")

    Raises:
        DataError: a raw file is wrong, or the column holds no days, one day only, or a day with one label only.
        SettingsError: the window is no positive number, or the recipe does not fit the data.
        RunError: the folder holds something else, or a training failed.
    """
    day_format = _checked(day_format)
    if window < 1:
        raise SettingsError(f"window must be at least 1 day, but {window} was given")
    home = BacktestFolder(folder or Path("backtests") / recipe.name)
    recipe = with_overrides(recipe, _OF_DAYS)
    identity = _identity(recipe, by=by, day_format=day_format, window=window)
    with home.opened(identity):
        days = write_days(
            recipe.data,
            home.days,
            by=by,
            day_format=day_format,
            valid_share=_valid_share(recipe),
            progress=progress or SilentProgress(),
        )
        work = _Backtest(recipe, home, days, window, listener, progress, interruption)
        result = BacktestResult(home.path, recipe.name, by, window, tuple(work.run()))
        home.write("backtest.json", json.dumps(result.as_dict(), indent=2, allow_nan=False) + "\n")
        home.write("backtest.csv", result.as_csv())
        if find_spec("plotly") is not None:
            home.write("report.html", render_page(result))
    return result


class _Backtest:
    """The trainings of a backtest, in order of days."""

    def __init__(  # noqa: PLR0917
        self,
        recipe: Recipe,
        home: BacktestFolder,
        days: Sequence[DayFiles],
        window: int,
        listener: BacktestListener | None,
        progress: ProgressListener | None,
        interruption: Interruption | None,
    ) -> None:
        self._recipe, self._home, self._days, self._window = recipe, home, days, window
        self._listener, self._progress, self._interruption = listener, progress, interruption
        self._total = 2 * len(days) - 3  # the first day is trained on once
        self._number = 0

    def run(self) -> list[DayRecord]:
        """Train on each day but the last; what is finished is read back."""
        records = []
        for index, day in enumerate(self._days[:-1]):
            record = DayRecord(
                trained_on=day.name,
                tested_on=self._days[index + 1].name,
                num_train_rows=day.num_rows["train"],
                num_test_rows=sum(self._days[index + 1].num_rows.values()),
                arms={arm: self._figures(arm, index) for arm in ARMS},
            )
            records.append(record)
            if self._listener is not None:
                self._listener.on_day(record)
        return records

    def _figures(self, arm: Arm, index: int) -> ArmFigures:
        """Train a ranker on a day unless that is done; on the first day both are the same."""
        arm = arm if index else "warm"
        run = RunFolder(self._home.run(arm, self._days[index].name))
        if not run.has_result:
            self._train(arm, index, run)
        return ArmFigures.of(run.path, run.result())

    def _train(self, arm: Arm, index: int, run: RunFolder) -> None:
        day, settings = self._days[index], self._settings(arm, index)
        before = self._days[index - 1].name if arm == "warm" and index else None
        extend = None if before is None else self._home.prepared("warm", before)
        prepare(settings.data, extend=extend, progress=self._progress)
        observers: Sequence[TrainingObserver] = ()
        if self._listener is not None:
            number = 1 if not index else 2 * index + ARMS.index(arm)
            observers = self._listener.observers(arm, day.name, number, self._total)
        train(
            settings,
            folder=run.path,
            observers=observers,
            progress=self._progress,
            start_from=None if before is None else self._home.run("warm", before),
            interruption=self._interruption,
        )

    def _settings(self, arm: Arm, index: int) -> Recipe:
        """Make the recipe of one training: the files of its days, and the next day as test."""
        day, following = self._days[index], self._days[index + 1]
        trained = self._days[max(0, index + 1 - self._window) : index + 1] if arm == "cold" else [day]
        files = {
            "folder": self._recipe.data.files.folder,
            "train": [each.part("train") for each in trained],
            "valid": [day.part("valid")],
            "test": [following.part("train"), following.part("valid")],
        }
        return with_overrides(
            self._recipe,
            {
                "name": f"{self._recipe.name}-{arm}-{day.name}",
                "data.files": files,
                "data.split": None,
                "data.prepared": str(self._home.prepared(arm, day.name)),
            },
        )


def _checked(day_format: str | None) -> TimeFormat | None:
    """Check the format of the days.

    Raises:
        SettingsError: it is no format.
    """
    try:
        checked: TimeFormat | None = TypeAdapter(TimeFormat | None).validate_python(day_format)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise SettingsError(f"the format of the days must be one that is known: {reason}") from None
    return checked


def _valid_share(recipe: Recipe) -> float:
    """Return the share that the recipe holds out for valid, if it says one."""
    split = recipe.data.split
    if isinstance(split, RandomSplit):
        return split.valid
    if isinstance(split, TimeSplit):
        return split.valid if split.valid_from is None else _VALID_SHARE
    return _VALID_SHARE if split is None else split.valid


def _identity(recipe: Recipe, *, by: str, day_format: TimeFormat | None, window: int) -> dict[str, Any]:
    """Collect what a backtest is known by; how steps are computed and saved does not count."""
    values = recipe.model_dump(mode="json")
    for setting in ("execution", "checkpoint"):
        values["training"].pop(setting, None)
    values["data"].pop("prepared")
    sources = [(record.name, record.digest) for record in record_sources(find_source_files(recipe.data.files))]
    return {"recipe": values, "column of days": [by, day_format], "window": window, "data": sources}
