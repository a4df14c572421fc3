"""Cold against warm starts on a log that drifts: test AUC of the next day, with several seeds.

    python -m benchmarks.days --churn 0 0.05 0.2 --seeds 1 2 3 --report report.json

Each seed draws a planted log, in which some values of each field are replaced from day to day, and trains on it. Three
rankers are tested on the day after the one that they have seen last: one trained from scratch on that day, one trained
from scratch on all days so far, and one that goes on from day to day (``rankelastor backtest``). What the true
probabilities reach is the most that any of them can.
"""

# ruff: noqa: T201 - a benchmark prints its figures

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rankelastor.backtesting.backtest import backtest
from rankelastor.backtesting.record import BacktestResult
from rankelastor.data.planted.drift import drifting_days, write_drifting_log
from rankelastor.data.planted.settings import PlantedSettings
from rankelastor.metrics.ranking import auc
from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe

NUM_FIELDS, NUM_INTERACTIONS = 6, 4


@dataclass(frozen=True)
class Case:
    """One log and one seed."""

    churn: float
    seed: int
    days: int
    rows_per_day: int
    vocabulary: int
    epochs: int

    @property
    def truth(self) -> PlantedSettings:
        """The truth of the first day."""
        return PlantedSettings(
            num_fields=NUM_FIELDS,
            num_interactions=NUM_INTERACTIONS,
            vocabulary=self.vocabulary,
            main_effects=1.0,
            seed=self.seed,
        )


@dataclass(frozen=True)
class Figures:
    """Means over the test days on which the rankers differ."""

    last_day: float
    all_days: float
    warm: float
    reachable: float
    unseen_last_day: float
    unseen_all_days: float
    unseen_warm: float
    seconds_last_day: float
    seconds_all_days: float
    seconds_warm: float
    days_better_than_last_day: int
    days_better_than_all_days: int
    num_days: int


def main() -> None:
    """Measure, print, and write the report."""
    arguments = parse_arguments()
    measured: list[dict[str, Any]] = []
    for churn in arguments.churn:
        found = []
        for seed in arguments.seeds:
            case = Case(churn, seed, arguments.days, arguments.rows_per_day, arguments.vocabulary, arguments.epochs)
            found.append(run(case))
            measured.append(asdict(case) | {"found": asdict(found[-1])})
            print(f"churn {churn:g}, seed {seed}: {_shown(found[-1])}", flush=True)
        for line in table(churn, found):
            print(line, flush=True)
    if arguments.report is not None:
        told = {"cores": len(os.sched_getaffinity(0)), "machine": platform.machine(), "measured": measured}
        arguments.report.write_text(json.dumps(told, indent=1) + "\n")


def run(case: Case) -> Figures:
    """Train and test all three rankers of a case."""
    shape = {"num_days": case.days, "rows_per_day": case.rows_per_day, "churn": case.churn}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_drifting_log(folder / "log.parquet", case.truth, **shape)
        recipe = _recipe(folder, case)
        last, every = (
            backtest(recipe, by="day", window=window, folder=folder / f"backtest-{window}")
            for window in (1, case.days - 1)
        )
    tested = list(drifting_days(case.truth, **shape))[2:]
    return _figures(last, every, [float(auc(day.label, day.probability)) for day in tested])


def _recipe(folder: Path, case: Case) -> Recipe:
    return recipe_from_values(
        {
            "name": "drift",
            "data": {
                "prepared": "unused",
                "files": {"folder": str(folder), "all": "log.parquet"},
                "split": {"kind": "random", "valid": 0.1},
                "label": "click",
                "fields": [{"kind": "categorical", "column": "f*"}],
            },
            "model": {"kind": "mlp", "hidden_dims": [32], "embedding_dim": 8},
            "training": {
                "epochs": case.epochs,
                "batch_size": 256,
                "seed": case.seed,
                "rare_as_unseen": {"share": 0.1, "max_count": 5},
                "threads": 1,
            },
        }
    )


def _figures(last: BacktestResult, every: BacktestResult, reachable: Sequence[float]) -> Figures:
    def metric(found: BacktestResult, arm: Any) -> list[float]:
        return [float(day.arms[arm].metrics["auc"]) for day in found.days[1:]]

    def mean(found: BacktestResult, arm: Any, name: str) -> float:
        return statistics.fmean(getattr(day.arms[arm], name) for day in found.days[1:])

    warm, cold, all_days = metric(last, "warm"), metric(last, "cold"), metric(every, "cold")
    return Figures(
        last_day=statistics.fmean(cold),
        all_days=statistics.fmean(all_days),
        warm=statistics.fmean(warm),
        reachable=statistics.fmean(reachable),
        unseen_last_day=mean(last, "cold", "unseen_share"),
        unseen_all_days=mean(every, "cold", "unseen_share"),
        unseen_warm=mean(last, "warm", "unseen_share"),
        seconds_last_day=mean(last, "cold", "seconds"),
        seconds_all_days=mean(every, "cold", "seconds"),
        seconds_warm=mean(last, "warm", "seconds"),
        days_better_than_last_day=int(np.greater(warm, cold).sum()),
        days_better_than_all_days=int(np.greater(warm, all_days).sum()),
        num_days=len(warm),
    )


def _shown(found: Figures) -> str:
    return (
        f"last day {found.last_day:.6f}, all days {found.all_days:.6f}, warm {found.warm:.6f}, "
        f"at most {found.reachable:.6f}"
    )


def table(churn: float, found: Sequence[Figures]) -> Iterator[str]:
    """Write what the seeds of one churn gave: means and standard deviations, of differences seed by seed."""

    def over(values: Sequence[float], *, signed: bool = False) -> str:
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        return f"{statistics.fmean(values):{'+' if signed else ''}.4f} ± {spread:.4f}"

    days = sum(each.num_days for each in found)
    columns = [over([getattr(each, name) for each in found]) for name in ("reachable", "last_day", "all_days", "warm")]
    for name in ("last_day", "all_days"):
        better = sum(getattr(each, f"days_better_than_{name}") for each in found)
        difference = over([each.warm - getattr(each, name) for each in found], signed=True)
        columns.append(f"{difference}, {better} of {days}")
    yield f"| {100 * churn:g} % | {' | '.join(columns)} |"
    shares = [
        f"{what} {100 * statistics.fmean(getattr(each, f'unseen_{name}') for each in found):.1f} % unseen, "
        f"{statistics.fmean(getattr(each, f'seconds_{name}') for each in found):.1f} s a day"
        for what, name in (("last day", "last_day"), ("all days", "all_days"), ("warm", "warm"))
    ]
    yield "; ".join(shares)


def parse_arguments() -> argparse.Namespace:
    """Read the arguments of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--churn", type=float, nargs="+", default=[0.0, 0.05, 0.2], help="share of values that go a day"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--days", type=int, default=6, help="days of the log, the last of which is tested only")
    parser.add_argument("--rows-per-day", type=int, default=8000)
    parser.add_argument("--vocabulary", type=int, default=150, help="values of each field")
    parser.add_argument("--epochs", type=int, default=2, help="epochs of each training")
    parser.add_argument("--report", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
