"""The class of a metric, a row of the table of metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from rankelastor.metrics.group_values import GroupValues

Figure = float | int
"""Value of a metric; counts are of type int."""


@dataclass(frozen=True)
class Metric:
    """A figure computed from the labels and probabilities of one task.

    Args:
        name: key in ``result.json`` and value of ``training.monitor``; without a dot, which separates the name
            of a task from that of a metric.
        title: name in tables, with the unit.
        higher_is_better: direction of improvement; None if neither direction is better, so that the metric cannot be
            the monitor.
        needs_group: whether the metric is computed within groups; it is then not defined for data without a group
            field.
        function: ``function(label, probability, *, weight=None) -> float``, which returns nan if the metric is not
            defined; with ``needs_group`` it also takes ``group``.
        by_group: takes the same and returns the values of the groups of which the metric is the mean, for its
            interval; None: it is no such mean.

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
    by_group: Callable[..., GroupValues] | None = None

    def __post_init__(self) -> None:
        assert "." not in self.name, "the name of a metric has no dot, which separates a task from a metric"

    def __call__(
        self,
        label: Shaped[ndarray, " example"],
        probability: Float[ndarray, " example"],
        *,
        weight: Float[ndarray, " example"] | None = None,
        group: Int[ndarray, " example"] | None = None,
    ) -> Figure:
        """Compute the metric; nan if it is not defined.

        Args:
            label: 0 or 1.
            probability: predictions in 0..1.
            weight: weight of each example, 0 or more; None weights all equally.
            group: group of each example, such as the user, for grouped metrics; None if the data have none.
        """
        if not self.needs_group:
            return self.function(label, probability, weight=weight)
        return math.nan if group is None else self.function(label, probability, weight=weight, group=group)
