"""What a backtest found: the metrics of each test day, from scratch and going on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rankelastor.runs.result import RunResult

Arm = Literal["cold", "warm"]
ARMS: tuple[Arm, ...] = ("cold", "warm")


@dataclass(frozen=True)
class ArmFigures:
    """The figures of one ranker on one test day.

    Attributes:
        run: its run folder.
        metrics: metrics of the test day.
        unseen_share: share of the examples of the test day that hold a value without an id.
        unseen_by_field: share of the values of each field that have none.
        seconds: time of the training.
    """

    run: Path
    metrics: Mapping[str, Any]
    unseen_share: float
    unseen_by_field: Mapping[str, float]
    seconds: float

    @classmethod
    def of(cls, run: Path, result: RunResult) -> ArmFigures:
        """Take the figures of a finished run."""
        unseen = result.unseen["test"]
        return cls(run, dict(result.test), unseen.share_of_examples, dict(unseen.share_by_field), result.seconds)

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {
            "run": str(self.run),
            "metrics": dict(self.metrics),
            "unseen_share": self.unseen_share,
            "unseen_by_field": dict(self.unseen_by_field),
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class DayRecord:
    """The rankers that were trained up to a day, on the next.

    Attributes:
        trained_on: the day that they were trained on last.
        tested_on: the day after it in the log.
        num_train_rows: rows of the former day that were trained on.
        num_test_rows: rows of the latter.
        arms: the figures from scratch (``cold``) and going on (``warm``), which are the same on the first day.
    """

    trained_on: str
    tested_on: str
    num_train_rows: int
    num_test_rows: int
    arms: Mapping[Arm, ArmFigures]

    def value(self, arm: Arm, metric: str) -> float | None:
        """Return a metric of the test day; None if it is not defined."""
        found = self.arms[arm].metrics.get(metric)
        return float(found) if isinstance(found, int | float) else None

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {
            "trained_on": self.trained_on,
            "tested_on": self.tested_on,
            "num_train_rows": self.num_train_rows,
            "num_test_rows": self.num_test_rows,
            **{arm: figures.as_dict() for arm, figures in self.arms.items()},
        }


@dataclass(frozen=True)
class BacktestResult:
    """The table of a backtest.

    Attributes:
        folder: its folder.
        recipe: name of the recipe.
        by: the column of days.
        window: number of days that a ranker from scratch was trained on.
        days: a record for each test day.
    """

    folder: Path
    recipe: str
    by: str
    window: int
    days: tuple[DayRecord, ...]

    def mean(self, arm: Arm, metric: str) -> float | None:
        """Average a metric over the test days on which the arms differ; None if it is not defined on one of them."""
        later = [day.value(arm, metric) for day in self.days[1:]]
        found = [value for value in later if value is not None]
        return sum(found) / len(found) if found and len(found) == len(later) else None

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {
            "folder": str(self.folder),
            "recipe": self.recipe,
            "by": self.by,
            "window": self.window,
            "days": [day.as_dict() for day in self.days],
        }

    def as_csv(self) -> str:
        """Write a line for each test day and arm."""
        text = io.StringIO()
        lines = list(self._lines())
        names = list(dict.fromkeys(name for line in lines for name in line))
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        return text.getvalue()

    def _lines(self) -> Iterator[dict[str, Any]]:
        for day in self.days:
            for arm, figures in day.arms.items():
                numbers = {name: each for name, each in figures.metrics.items() if isinstance(each, int | float)}
                yield {
                    "trained_on": day.trained_on,
                    "tested_on": day.tested_on,
                    "start": arm,
                    "num_train_rows": day.num_train_rows,
                    "num_test_rows": day.num_test_rows,
                    **numbers,
                    "unseen_share": figures.unseen_share,
                    **{f"unseen_{name}": share for name, share in figures.unseen_by_field.items()},
                    "seconds": figures.seconds,
                }
