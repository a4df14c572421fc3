"""What each column contributed to the logit of a row: the mean change when it takes the values of other rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray

from rankelastor.explanations.columns import ColumnPlaces
from rankelastor.schema import Batch

Logits = Callable[[Batch], Float64[ndarray, "batch task"]]
"""Computes the logits of a batch, corrected and calibrated."""


@dataclass(frozen=True)
class Contribution:
    """What a column contributed to one row.

    Attributes:
        column: the raw column.
        change: the logit of the row minus its mean logit with the column of other rows; above 0 the value raised it.
    """

    column: str
    change: float

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {"column": self.column, "change": round(self.change, 6)}


def contributions(
    logits: Logits, row: Batch, others: Batch, columns: Sequence[ColumnPlaces], *, task: int = 0
) -> tuple[Contribution, ...]:
    """Compute what each column contributed to a row, the largest first.

    Columns that interact share what they do together: the changes need not add up to the logit.

    Args:
        logits: the scorer.
        row: one row.
        others: the rows whose values take the place of the row's.
        columns: the columns, see ``column_places``.
        task: index of the task.
    """
    num_others = others.num_examples
    repeated = repeat(row, num_others)
    moved = [place.moved(repeated, others) for place in columns]
    found = logits(join([row, *moved]))[:, task]
    means = found[1:].reshape(len(columns), num_others).mean(axis=1)
    changes = [Contribution(place.column, float(found[0] - mean)) for place, mean in zip(columns, means, strict=True)]
    return tuple(sorted(changes, key=lambda each: -abs(each.change)))


def repeat(row: Batch, times: int) -> Batch:
    """Repeat the rows of a batch, each one after the other.

    Example:
        >>> one = Batch(categorical=torch.tensor([[3]]), numeric=torch.zeros(1, 0), labels=None, group=None)
        >>> repeat(one, 2).categorical.tolist()
        [[3], [3]]
    """
    return Batch(
        categorical=row.categorical.repeat_interleave(times, dim=0),
        numeric=row.numeric.repeat_interleave(times, dim=0),
        labels=None,
        group=None,
        sequence=None if row.sequence is None else row.sequence.repeat_interleave(times, dim=0),
    )


def join(batches: Sequence[Batch]) -> Batch:
    """Put the rows of batches one after the other; labels, groups and weights are left out.

    Example:
        >>> one = Batch(categorical=torch.tensor([[3]]), numeric=torch.zeros(1, 0), labels=None, group=None)
        >>> join([one, one]).num_examples
        2
    """
    if len(batches) == 1:
        return batches[0]
    sequences = [batch.sequence for batch in batches if batch.sequence is not None]
    return Batch(
        categorical=torch.cat([batch.categorical for batch in batches]),
        numeric=torch.cat([batch.numeric for batch in batches]),
        labels=None,
        group=None,
        sequence=torch.cat(sequences) if sequences else None,
    )


def logits_of(probability: Float64[ndarray, "batch task"]) -> Float64[ndarray, "batch task"]:
    """Compute finite logits of probabilities.

    Example:
        >>> logits_of(np.array([[0.5]])).tolist()
        [[0.0]]
    """
    clipped = np.clip(probability, 1e-300, 1 - 1e-16)
    found: Float64[ndarray, "batch task"] = np.log(clipped) - np.log1p(-clipped)
    return found
