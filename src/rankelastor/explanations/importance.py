"""Permutation importance: what AUC and logloss lose when a column takes the values of other rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from numpy import ndarray
from scipy.stats import t as student
from torch import Tensor

from rankelastor.data.raw.inputs import Table
from rankelastor.errors import SettingsError
from rankelastor.evaluation.run_scorer import RunScorer
from rankelastor.evaluation.scoring import Predictions
from rankelastor.execution.cores import borrowed_cores
from rankelastor.explanations.columns import ColumnPlaces, column_places
from rankelastor.explanations.labelled_batch import prepared_batch, raw_batch
from rankelastor.metrics.report import DECIMALS
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.schema import Batch, SplitName

NUM_ROWS = 10_000
NUM_REPEATS = 5
_METRICS = ("auc", "logloss")
_SEED = 20


@dataclass(frozen=True)
class Loss:
    """What a metric loses, with an interval of 95 %: the mean over repeats, above 0 where the column helps."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Importance:
    """What the metrics lose without one column.

    Attributes:
        column: the raw column.
        auc: AUC lost; nan where it is not defined.
        logloss: logloss gained, in nats.
    """

    column: str
    auc: Loss
    logloss: Loss

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON; what is not defined is None."""
        return {"column": self.column, "auc": _plain(self.auc), "logloss": _plain(self.logloss)}


def importance(
    run: LoadedRun | str | Path,
    *,
    split: SplitName = "test",
    on: Table | None = None,
    prepared: str | Path | None = None,
    num_rows: int = NUM_ROWS,
    repeats: int = NUM_REPEATS,
    progress: ProgressListener | None = None,
) -> tuple[Importance, ...]:
    """Compute the permutation importance of each column that a run reads, most AUC lost first.

    In each repeat rows are drawn with replacement and a column is permuted among all rows, so that the interval (by
    Student's t) tells of other rows and other permutations. Columns that stand for each other share their importance.

    Args:
        run: a loaded run, a run folder or a bundle.
        split: the split of the prepared data.
        on: labelled rows instead of a split.
        prepared: the prepared folder, if it was moved.
        num_rows: most rows, taken from the beginning.
        repeats: number of repeats.
        progress: receives the number of columns done.

    Raises:
        SettingsError: there are fewer than two repeats.
        DataError: the rows cannot be read, or hold one label only.

    Source: Breiman 2001, section 10; Fisher et al. 2019.
    """
    if repeats < 2:  # noqa: PLR2004 - an interval needs two
        raise SettingsError(f"an interval needs 2 repeats or more, but {repeats} was given; try {NUM_REPEATS}")
    loaded = run if isinstance(run, LoadedRun) else load_run(run)
    training = loaded.recipe.training
    with (
        borrowed_cores(training.execution.threads),
        closing(RunScorer(loaded, batch_size=training.evaluation_batch_size)) as score,
    ):
        rows = (
            prepared_batch(loaded.dataset(prepared).split(split), most=num_rows)
            if on is None
            else raw_batch(loaded, on, most=num_rows)
        )
        return _Permuting(loaded, rows, score, repeats).all_columns(progress or SilentProgress())


class _Permuting:
    def __init__(self, run: LoadedRun, rows: Batch, score: RunScorer, repeats: int) -> None:
        self._rows, self._score = rows, score
        self._columns = column_places(run.encoder)
        draws = np.random.default_rng(_SEED)
        count = rows.num_examples
        self._drawn = [np.bincount(draws.integers(count, size=count), minlength=count) for _ in range(repeats)]
        self._orders = [draws.permutation(count) for _ in range(repeats)]
        labels, weight = rows.labels, rows.weight
        assert labels is not None, "labelled rows have labels"
        self._labelled = Predictions(
            label=labels.numpy(),
            probability=score(rows),
            tasks=run.encoder.schema.tasks,
            weight=None if weight is None else weight.numpy(),
            odds=run.recipe.odds,
        )
        self._before = [self._metrics(self._labelled, drawn) for drawn in self._drawn]

    def all_columns(self, progress: ProgressListener) -> tuple[Importance, ...]:
        progress.begin("permuting columns", total=len(self._columns), unit="columns")
        found = []
        for place in self._columns:
            found.append(self._of(place))
            progress.advance(1)
        progress.end()
        return tuple(sorted(found, key=lambda each: (-_number(each.auc.mean), -each.logloss.mean)))

    def _of(self, place: ColumnPlaces) -> Importance:
        lost: list[list[float]] = []
        for before, drawn, order in zip(self._before, self._drawn, self._orders, strict=True):
            moved = place.moved(self._rows, _permuted(self._rows, torch.from_numpy(order)))
            after = self._metrics(self._labelled.with_probability(self._score(moved)), drawn)
            lost.append([before[0] - after[0], after[1] - before[1]])
        auc, logloss = (_loss([each[index] for each in lost]) for index in range(2))
        return Importance(place.column, auc, logloss)

    @staticmethod
    def _metrics(predictions: Predictions, drawn: Int64[ndarray, " row"]) -> list[float]:
        """Compute the metrics in which each row counts as often as it was drawn."""
        times = drawn.astype(np.float32)
        weight = times if predictions.weight is None else times * predictions.weight
        metrics = replace(predictions, weight=weight).metrics(_METRICS)
        return [float(metrics.value(name)) for name in _METRICS]


def _permuted(rows: Batch, order: Tensor) -> Batch:
    return replace(
        rows,
        categorical=rows.categorical[order],
        numeric=rows.numeric[order],
        sequence=None if rows.sequence is None else rows.sequence[order],
    )


def _loss(values: Sequence[float]) -> Loss:
    """Compute the mean, and the interval in which it would lie for other rows.

    Example:
        >>> loss = _loss([1.0, 1.0, 1.0])
        >>> loss.mean, loss.low, loss.high
        (1.0, 1.0, 1.0)
    """
    mean, count = float(np.mean(values)), len(values)
    half = float(student.ppf(0.975, count - 1) * np.std(values, ddof=1))
    return Loss(mean, mean - half, mean + half)


def _number(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _plain(loss: Loss) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else round(value, DECIMALS) for name, value in asdict(loss).items()}
