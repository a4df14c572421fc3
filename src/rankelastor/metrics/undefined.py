"""Say why a metric is not defined for some rows."""

from __future__ import annotations

from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from rankelastor.metrics.metric import Metric


def why_undefined(
    metric: Metric,
    label: Shaped[ndarray, " example"],
    *,
    weight: Float[ndarray, " example"] | None = None,
    group: Int[ndarray, " example"] | None = None,
) -> str:
    """Say in a clause why a metric is nan for rows with these labels, weights and groups.

    Example:
        >>> import numpy as np
        >>> from rankelastor.metrics.table import METRICS
        >>> why_undefined(METRICS["gauc"], np.array([0, 1]), group=np.array([1, 2]))
        'no group holds both labels'
        >>> why_undefined(METRICS["auc"], np.array([1, 1]))
        'all labels are 1'
    """
    if metric.needs_group and group is None:
        return "the data have no group"
    counted = label if weight is None else label[weight > 0]
    if not len(counted):
        return "there are no rows" if not len(label) else "all weights are 0"
    if counted.min() == counted.max():
        return f"all labels are {counted.max():g}"
    return "no group holds both labels" if metric.needs_group else "its value is not a number"
