"""The table of metrics: each row is a key of ``result.json``, a line in tables and a choice of the monitor.

To add a metric, write its function in a file of this package and add a row.
"""

from __future__ import annotations

from jaxtyping import Float, Shaped
from numpy import ndarray

from rankelastor.metrics.calibration import calibration_ratio, expected_calibration_error
from rankelastor.metrics.likelihood import logloss, normalized_entropy
from rankelastor.metrics.lists import (
    LIST_LENGTH,
    hit_by_group,
    hit_rate,
    mean_reciprocal_rank,
    ndcg,
    ndcg_by_group,
    reciprocal_rank_by_group,
)
from rankelastor.metrics.metric import Metric
from rankelastor.metrics.ranking import auc, auc_by_group, grouped_auc


def num_examples(
    label: Shaped[ndarray, " example"],
    probability: Float[ndarray, " example"],
    *,
    weight: Float[ndarray, " example"] | None = None,
) -> int:
    """Count the examples, regardless of their weights."""
    del probability, weight
    return len(label)


_ROWS = (
    Metric("auc", "AUC", higher_is_better=True, needs_group=False, function=auc),
    Metric("logloss", "logloss (nats)", higher_is_better=False, needs_group=False, function=logloss),
    Metric("gauc", "gAUC", higher_is_better=True, needs_group=True, function=grouped_auc, by_group=auc_by_group),
    Metric(
        f"ndcg_at_{LIST_LENGTH}",
        f"NDCG@{LIST_LENGTH}",
        higher_is_better=True,
        needs_group=True,
        function=ndcg,
        by_group=ndcg_by_group,
    ),
    Metric(
        "mrr",
        "mean reciprocal rank",
        higher_is_better=True,
        needs_group=True,
        function=mean_reciprocal_rank,
        by_group=reciprocal_rank_by_group,
    ),
    Metric(
        f"hit_rate_at_{LIST_LENGTH}",
        f"hit rate@{LIST_LENGTH}",
        higher_is_better=True,
        needs_group=True,
        function=hit_rate,
        by_group=hit_by_group,
    ),
    Metric(
        "normalized_entropy",
        "normalised entropy",
        higher_is_better=False,
        needs_group=False,
        function=normalized_entropy,
    ),
    Metric(
        "calibration_ratio", "calibration ratio", higher_is_better=None, needs_group=False, function=calibration_ratio
    ),
    Metric(
        "expected_calibration_error",
        "expected calibration error",
        higher_is_better=False,
        needs_group=False,
        function=expected_calibration_error,
    ),
    Metric("num_examples", "examples", higher_is_better=None, needs_group=False, function=num_examples),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}
"""All metrics by name, in the order in which they are shown."""
