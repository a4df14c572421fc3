import io

import numpy as np
import pytest
from hypothesis import given
from rich.console import Console
from tests.metrics.weighted_rows import Rows, weighted_rows

from rankelastor.cli.tables import metrics_table
from rankelastor.metrics.metric import Metric
from rankelastor.metrics.monitor import monitor_names
from rankelastor.metrics.report import evaluate_predictions
from rankelastor.metrics.table import METRICS


def brier(label: np.ndarray, probability: np.ndarray, *, weight: np.ndarray | None = None) -> float:
    return float(np.average((probability - label) ** 2, weights=weight))


def test_a_metric_is_one_function_and_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Metric("brier", "Brier score", higher_is_better=False, needs_group=False, function=brier)
    monkeypatch.setitem(METRICS, row.name, row)
    metrics = evaluate_predictions(np.array([[0], [1]]), np.array([[0.5], [0.5]]), tasks=["click"]).as_dict()
    assert metrics["brier"] == 0.25
    assert "brier" in monitor_names()
    assert "like.brier" in monitor_names(["click", "like"])
    console = Console(file=io.StringIO(), width=80)
    console.print(metrics_table({"test": metrics}))
    assert "Brier score" in console.file.getvalue()  # type: ignore[attr-defined]


def test_rows_have_the_names_of_their_keys_and_titles_of_their_own() -> None:
    assert [metric.name for metric in METRICS.values()] == list(METRICS)
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)


@given(weighted_rows())
def test_every_metric_takes_weights_and_groups(rows: Rows) -> None:
    for metric in METRICS.values():
        value = metric(rows.label, rows.probability, weight=rows.weight, group=rows.group)
        assert isinstance(value, float | int)


@given(weighted_rows())
def test_equal_weights_change_no_metric_but_the_edges_of_bins(rows: Rows) -> None:
    weight = np.full(len(rows.label), 0.5)
    for metric in METRICS.values():
        if metric.name != "expected_calibration_error":
            plain = metric(rows.label.astype(float), rows.probability, group=rows.group)
            weighted = metric(rows.label.astype(float), rows.probability, weight=weight, group=rows.group)
            assert weighted == pytest.approx(plain, rel=1e-9, nan_ok=True), metric.name


def test_examples_are_counted_whatever_their_weight() -> None:
    assert METRICS["num_examples"](np.array([0, 1]), np.array([0.5, 0.5]), weight=np.array([0.0, 9.0])) == 2
