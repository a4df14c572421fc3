"""Find pairs of columns that together tell more of the label than each alone, to be crossed.

A column is scored by the smoothed log odds of the label given its value, a pair by those given both values, each
computed on nine tenths of the rows and applied to the last. A logistic regression on the scores of all columns is the
base. The pair whose score raises its likelihood most (Rao's score test, a chi-square of one degree of freedom if it
told nothing) joins it, then the next, until none raises it by enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rankelastor.drafting.profile import ColumnProfile
from rankelastor.logistic import expit, logit

LEAST_STATISTIC = 60.0
"""Below it pairs were not worth their embeddings, whose values are in one row or two each (docs/results.md)."""

_LEAST_RECURRING = 0.1
_MOST_PAIRS = 8
_MOST_COLUMNS = 25
_MOST_ROWS = 40_000
_FOLDS = 10
_PRIOR_ROWS = 10.0
_NEWTON_STEPS = 6

Scores = NDArray[np.float64]
"""Log odds above those of all rows: (row,)."""


@dataclass(frozen=True)
class Cross:
    """A pair of columns to be crossed, and the statistic of the score test."""

    column: str
    other: str
    statistic: float


def find_crosses(columns: Sequence[ColumnProfile], label: NDArray[np.bool_]) -> tuple[Cross, ...]:
    """Find the pairs of columns that are worth a field of their own, the best first.

    Args:
        columns: columns of values, of the rows that train will have.
        label: bool (row,).

    Example:
        >>> import pyarrow as pa
        >>> from rankelastor.drafting.profile import profile_table
        >>> rng = np.random.default_rng(1)
        >>> user, item, hour = rng.integers(5, size=(3, 2_000))
        >>> columns = profile_table(pa.table({"user": user, "item": item, "hour": hour}))
        >>> [(cross.column, cross.other) for cross in find_crosses(columns, (user + item) % 5 < 2)]
        [('user', 'item')]
    """
    rows = _thinned(len(label))
    clicked = label[rows].astype(np.float64)
    if not 0 < clicked.mean() < 1:
        return ()
    codes = {column.name: _codes(column, rows) for column in columns}
    alone = {name: _scores(code, clicked) for name, code in codes.items()}
    best = sorted(alone, key=lambda name: -_statistic_alone(alone[name], clicked))[:_MOST_COLUMNS]
    names = [name for name in alone if name in best]  # in the order of the table
    pairs = {(one, other): _pair_codes(codes[one], codes[other]) for one, other in combinations(names, 2)}
    scores = {pair: _scores(code, clicked) for pair, code in pairs.items() if _recurs(code)}
    return tuple(_choose(scores, [alone[name] for name in names], clicked))


def _choose(pairs: Mapping[tuple[str, str], Scores], base: list[Scores], clicked: NDArray[np.float64]) -> list[Cross]:
    """Let the best pair join the base until none is worth it."""
    chosen: list[Cross] = []
    names, scores = list(pairs), np.stack(list(pairs.values())) if pairs else np.empty((0, len(clicked)))
    joined = [np.ones_like(clicked), *base]
    while names and len(chosen) < _MOST_PAIRS:
        statistics = _score_test(np.stack(joined), scores, clicked)
        best = int(np.argmax(statistics))
        if statistics[best] < LEAST_STATISTIC:
            break
        chosen.append(Cross(*names.pop(best), float(statistics[best])))
        joined.append(scores[best])
        scores = np.delete(scores, best, axis=0)
    return chosen


def _score_test(
    base: NDArray[np.float64], candidates: NDArray[np.float64], clicked: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute the statistic of each candidate (candidate, row) beside a logistic regression on ``base`` (score, row).

    A candidate that would get a negative weight gets 0: it repeats, with the sign turned, what the base has.
    """
    probability = expit(_fit(base, clicked) @ base)
    weight = probability * (1 - probability)
    slope = candidates @ (clicked - probability)
    weighted = base * weight
    cross = candidates @ weighted.T
    explained = np.einsum("ij,ij->i", cross, np.linalg.lstsq(weighted @ base.T, cross.T, rcond=None)[0].T)
    variance = (candidates**2) @ weight - explained
    return np.where((slope > 0) & (variance > 1e-9 * weight.sum()), slope**2 / np.maximum(variance, 1e-300), 0.0)


def _fit(base: NDArray[np.float64], clicked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit the weights of a logistic regression by Newton's method, a little held back."""
    weights = np.zeros(len(base))
    weights[:1] = logit(clicked.mean(keepdims=True))
    for _ in range(_NEWTON_STEPS):
        probability = expit(weights @ base)
        curvature = (base * (probability * (1 - probability))) @ base.T + np.eye(len(base))
        weights += np.linalg.solve(curvature, base @ (clicked - probability))
    return weights


def _scores(codes: NDArray[np.int64], clicked: NDArray[np.float64]) -> Scores:
    """Compute the log odds of each row's code on the rows of other folds, above those of all rows."""
    num_codes = int(codes.max()) + 1
    fold = np.arange(len(codes)) * _FOLDS // len(codes)
    rate = clicked.mean(keepdims=True)
    cells = fold * num_codes + codes
    counts = np.bincount(cells, minlength=_FOLDS * num_codes).reshape(_FOLDS, num_codes)
    clicks = np.bincount(cells, clicked, minlength=_FOLDS * num_codes).reshape(_FOLDS, num_codes)
    counts, clicks = counts.sum(axis=0) - counts, clicks.sum(axis=0) - clicks
    odds = logit((clicks + _PRIOR_ROWS * rate) / (counts + _PRIOR_ROWS)) - logit(rate)
    scores: Scores = odds.reshape(-1)[cells]
    return scores


def _statistic_alone(scores: Scores, clicked: NDArray[np.float64]) -> float:
    centred = scores - scores.mean()
    variance = clicked.var() * float(centred @ centred)
    return float(centred @ clicked) ** 2 / variance if variance else 0.0


def _codes(column: ColumnProfile, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    assert column.cells is not None, "columns that no field reads are not crossed"
    codes: NDArray[np.int64] = column.cells.gather(rows).rank("dense").to_numpy().astype(np.int64) - 1
    return codes


def _pair_codes(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    pairs: NDArray[np.int64] = np.unique(one * (int(other.max()) + 1) + other, return_inverse=True)[1]
    return pairs


def _recurs(codes: NDArray[np.int64]) -> bool:
    """Tell whether enough rows have a pair that another row has, too: what never comes again need not be learned."""
    counts = np.bincount(codes)
    return bool(counts[counts > 1].sum() >= _LEAST_RECURRING * len(codes))


def _thinned(num_rows: int) -> NDArray[np.int64]:
    """Take every n-th row of a long log."""
    return np.arange(0, num_rows, max(1, -(-num_rows // _MOST_ROWS)))
