"""A training step whose loss or gradient is NaN or infinite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rankelastor.errors import RunError

_MOST_NAMED = 5


class NotFiniteError(Exception):
    """Raised by a step before it changes any weight: its loss or a gradient is NaN or infinite.

    Args:
        loss: loss of the batch.
        norms: norm of the gradient of each parameter.
    """

    def __init__(self, loss: float, norms: Mapping[str, float]) -> None:
        super().__init__(loss)
        self.loss = loss
        self.norms = norms


def as_run_error(error: NotFiniteError, *, epoch: int, step: int, rows: Sequence[int]) -> RunError:
    """Say at which step, with which rows and gradients a training stopped.

    Example:
        >>> error = NotFiniteError(float("nan"), {"head.weight": float("nan"), "head.bias": 0.5})
        >>> print(as_run_error(error, epoch=2, step=7, rows=[3, 9]))  # doctest: +NORMALIZE_WHITESPACE
        the training loss must stay finite, but was nan in epoch 2 at step 7 (rows 3, 9 of train; gradient norms:
        head.weight nan, head.bias 0.5); the weights are those of the step before; try a smaller training.learning_rate,
        or training.on_nan=skip
    """
    what = f"the training loss must stay finite, but was {error.loss:g}"
    if math.isfinite(error.loss):
        what = f"the gradient must stay finite, but was not (the loss was {error.loss:g})"
    return RunError(
        f"{what} in epoch {epoch} at step {step} ({_named_rows(rows)} of train; {_named_norms(error.norms)}); "
        "the weights are those of the step before; try a smaller training.learning_rate, or training.on_nan=skip"
    )


def _named_rows(rows: Sequence[int]) -> str:
    named = ", ".join(f"{row}" for row in rows[:_MOST_NAMED])
    more = len(rows) - _MOST_NAMED
    return f"rows {named}" + (f" and {more:,} more" if more > 0 else "")


def _named_norms(norms: Mapping[str, float]) -> str:
    """Name the largest gradients, those that are not finite first."""
    largest = sorted(norms, key=lambda name: norms[name] if math.isfinite(norms[name]) else math.inf, reverse=True)
    return "gradient norms: " + ", ".join(f"{name} {norms[name]:.4g}" for name in largest[:_MOST_NAMED])
