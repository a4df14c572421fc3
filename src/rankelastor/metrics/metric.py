"""What a metric is: a row of the table of metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float, Int, Shaped
from numpy import ndarray

Figure = float | int
"""The value of a metric: a count is an int."""


@dataclass(frozen=True)
class Metric:
    """A figure computed from the labels and probabilities of one task.

    Args:
        name: the key in ``result.json`` and the value of ``training.monitor``; without a dot, which separates a task
            from a metric there.
        title: the name in tables, with its unit.
        higher_is_better: the direction in which it improves; None where neither direction is better, so that it
            cannot be the monitor.
        needs_group: whether it is computed within groups; it is not defined for data without a group field.
        function: ``function(label, probability, *, weight=None) -> float``, which returns nan where the metric is not
            defined; with ``needs_group`` it also takes ``group``.

    Example:
        >>> import numpy as np
        >>> def brier(label, probability, *, weight=None):
        ...     return float(np.average((probability - label) ** 2, weights=weight))
        >>> metric = Metric("brier", "Brier score", higher_is_better=False, needs_group=False, function=brier)
        >>> metric(np.array([0, 1]), np.array([0.5, 1.0]))
        0.125
    """

    name: str
    title: str
    higher_is_better: bool | None
    needs_group: bool
    function: Callable[..., Figure]

    def __post_init__(self) -> None:
        assert "." not in self.name, "a dot separates a task from a metric"

    def __call__(
        self,
        label: Shaped[ndarray, " example"],
        probability: Float[ndarray, " example"],
        *,
        weight: Float[ndarray, " example"] | None = None,
        group: Int[ndarray, " example"] | None = None,
    ) -> Figure:
        """Compute the metric; nan where it is not defined.

        Args:
            label: 0 or 1.
            probability: predictions in 0..1.
            weight: how much each example counts, 0 or more; None counts each once.
            group: the key of grouped metrics (a user, say); None where the data have none.
        """
        if not self.needs_group:
            return self.function(label, probability, weight=weight)
        return math.nan if group is None else self.function(label, probability, weight=weight, group=group)
