import math
from typing import Any

import numpy as np
import pytest

from rankelastor.metrics.metric import Metric

LABEL, PROBABILITY = np.array([0, 1]), np.array([0.2, 0.7])


def test_a_function_gets_groups_only_where_it_needs_them() -> None:
    calls: list[dict[str, Any]] = []

    def record(label: np.ndarray, probability: np.ndarray, **given: Any) -> float:
        calls.append(given)
        return 1.0

    group, weight = np.array([1, 1]), np.array([1.0, 2.0])
    for needs_group in (False, True):
        metric = Metric("any", "Any", higher_is_better=True, needs_group=needs_group, function=record)
        assert metric(LABEL, PROBABILITY, weight=weight, group=group) == 1.0
    assert [sorted(given) for given in calls] == [["weight"], ["group", "weight"]]


def test_a_grouped_metric_without_groups_is_not_defined() -> None:
    metric = Metric("any", "Any", higher_is_better=True, needs_group=True, function=lambda *_, **__: 1.0)
    assert math.isnan(metric(LABEL, PROBABILITY))


def test_a_name_has_no_dot_which_separates_a_task_from_a_metric() -> None:
    with pytest.raises(AssertionError):
        Metric("like.auc", "AUC", higher_is_better=True, needs_group=False, function=lambda *_, **__: 1.0)
