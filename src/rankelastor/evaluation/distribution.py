"""The distribution of probabilities, counted batch by batch in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from rankelastor.logistic import expit, logit
from rankelastor.runs.result import ProbabilityFigures

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_MOST = 30.0
_BINS_PER_UNIT = 256
_DIGITS = 6


class ProbabilityCounter:
    """Counts of probabilities in bins of logits, for each task.

    A bin is 1 / 256 wide, so that the odds of a quantile are right to .2 %, whatever the number of rows; mean, minimum
    and maximum are exact.

    Example:
        >>> counter = ProbabilityCounter(["click"])
        >>> counter.add(np.array([[0.2], [0.4], [0.9]]))
        >>> figures = counter.figures()["click"]
        >>> figures.num_rows, figures.mean, figures.minimum, figures.maximum, round(figures.quantiles["0.5"], 2)
        (3, 0.5, 0.2, 0.9, 0.4)
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self._tasks = tuple(tasks)
        self._counts = np.zeros((len(self._tasks), round(2 * _MOST * _BINS_PER_UNIT) + 1), dtype=np.int64)
        self._sums = np.zeros(len(self._tasks))
        self._lowest = np.ones(len(self._tasks))
        self._highest = np.zeros(len(self._tasks))

    def add(self, probability: Float64[ndarray, "row task"]) -> None:
        """Count some rows."""
        if not len(probability):
            return
        with np.errstate(divide="ignore"):
            logits = logit(probability).clip(-_MOST, _MOST)
        bins = np.rint((logits + _MOST) * _BINS_PER_UNIT).astype(np.int64)
        num_bins = self._counts.shape[1]
        self._counts += np.stack([np.bincount(column, minlength=num_bins) for column in bins.T])
        self._sums += probability.sum(axis=0)
        self._lowest = np.minimum(self._lowest, probability.min(axis=0))
        self._highest = np.maximum(self._highest, probability.max(axis=0))

    def figures(self) -> dict[str, ProbabilityFigures]:
        """Compute the figures of each task; empty if no row was added."""
        if not self._counts[:1].any():
            return {}
        return {task: self._figures(place) for place, task in enumerate(self._tasks)}

    def _figures(self, task: int) -> ProbabilityFigures:
        cumulated = np.cumsum(self._counts[task])
        num_rows, lowest, highest = int(cumulated[-1]), float(self._lowest[task]), float(self._highest[task])
        places = np.searchsorted(cumulated, np.array(QUANTILES) * num_rows)
        values = expit(places / _BINS_PER_UNIT - _MOST).clip(lowest, highest)
        return ProbabilityFigures(
            num_rows=num_rows,
            mean=_rounded(self._sums[task] / num_rows),
            minimum=_rounded(lowest),
            maximum=_rounded(highest),
            quantiles={f"{level:g}": _rounded(value) for level, value in zip(QUANTILES, values, strict=True)},
        )


def distribution_of(probability: Float64[ndarray, "row task"], tasks: Sequence[str]) -> dict[str, ProbabilityFigures]:
    """Compute the figures of probabilities that are all at hand."""
    counter = ProbabilityCounter(tasks)
    counter.add(probability)
    return counter.figures()


def _rounded(value: float) -> float:
    """Round to six significant digits, since rare labels have small probabilities."""
    return float(f"{value:.{_DIGITS}g}")
