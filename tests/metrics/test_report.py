import math

import numpy as np
import pytest

from rankelastor.metrics.ranking import auc
from rankelastor.metrics.report import Metrics, evaluate_predictions, read_figure

LABEL = np.array([[0, 1], [1, 0], [0, 1], [1, 1], [1, 0]])
PROBABILITY = np.array([[0.12345678, 0.3], [0.8, 0.2], [0.3, 0.4], [0.4, 0.1], [0.7, 0.6]])
GROUP = np.array([1, 1, 2, 2, 2])


def test_all_metrics_come_to_six_decimals() -> None:
    metrics = evaluate_predictions(LABEL[:, :1], PROBABILITY[:, :1], tasks=["click"], group=GROUP).as_dict()
    assert metrics["auc"] == 1.0
    assert metrics["gauc"] == 1.0
    assert metrics["num_examples"] == 5
    assert isinstance(metrics["num_examples"], int)
    assert all(round(value, 6) == value for value in metrics.values())


def test_a_metric_that_is_missing_is_left_out() -> None:
    metrics = evaluate_predictions(np.array([[1], [1]]), np.array([[0.5], [0.5]]), tasks=["click"]).as_dict()
    assert "gauc" not in metrics
    assert "auc" not in metrics
    assert "normalized_entropy" not in metrics
    assert metrics["calibration_ratio"] == 0.5


def test_one_task_is_flat_whatever_its_name() -> None:
    metrics = evaluate_predictions(LABEL[:, :1], PROBABILITY[:, :1], tasks=["click"]).as_dict()
    assert "tasks" not in metrics
    assert metrics == evaluate_predictions(LABEL[:, :1], PROBABILITY[:, :1], tasks=["label"]).as_dict()


def test_several_tasks_are_their_mean_and_each_as_it_would_be_alone() -> None:
    weight = np.array([1.0, 2.0, 0.5, 1.0, 3.0])
    both = evaluate_predictions(LABEL, PROBABILITY, tasks=["click", "like"], group=GROUP, weight=weight).as_dict()
    alone = [
        evaluate_predictions(LABEL[:, [t]], PROBABILITY[:, [t]], tasks=["any"], group=GROUP, weight=weight).as_dict()
        for t in (0, 1)
    ]
    assert both["tasks"] == {"click": alone[0], "like": alone[1]}
    assert both["logloss"] == pytest.approx((alone[0]["logloss"] + alone[1]["logloss"]) / 2, abs=1e-6)
    assert both["num_examples"] == 5
    assert isinstance(both["num_examples"], int)


def test_the_mean_is_left_out_where_a_task_lacks_the_metric() -> None:
    label = np.array([[0, 1], [1, 1]])
    metrics = evaluate_predictions(label, np.full((2, 2), 0.5), tasks=["click", "like"]).as_dict()
    assert "auc" not in metrics
    assert metrics["tasks"]["click"]["auc"] == 0.5
    assert "auc" not in metrics["tasks"]["like"]
    assert "logloss" in metrics


def test_metrics_can_be_chosen_by_name() -> None:
    assert evaluate_predictions(LABEL[:, :1], PROBABILITY[:, :1], tasks=["click"], names=["auc"]).as_dict() == {
        "auc": 1.0
    }


def test_a_value_is_in_full_precision() -> None:
    metrics = evaluate_predictions(LABEL, PROBABILITY, tasks=["click", "like"])
    click, like = (auc(LABEL[:, t], PROBABILITY[:, t]) for t in (0, 1))
    assert metrics.value("like.auc") == like
    assert metrics.value("auc") == pytest.approx((click + like) / 2, abs=1e-15)
    assert math.isnan(metrics.value("gauc"))
    assert math.isnan(metrics.value("share.auc"))


def test_a_figure_that_is_missing_reads_as_nan() -> None:
    one = Metrics({"click": {"auc": 0.75}}).as_dict()
    assert read_figure(one, "auc") == 0.75
    assert math.isnan(read_figure(one, "gauc"))
    assert math.isnan(read_figure(one, "click.auc"))


def test_a_task_may_be_called_like_a_metric() -> None:
    figures = Metrics({"auc": {"auc": 0.5}, "tasks": {"auc": 1.0}}).as_dict()
    assert figures["auc"] == 0.75
    assert read_figure(figures, "auc.auc") == 0.5
    assert read_figure(figures, "tasks.auc") == 1.0


def test_what_is_left_out_says_why_for_each_task_and_for_their_mean() -> None:
    label = np.array([[0, 1], [1, 1]])
    metrics = evaluate_predictions(
        label, np.full((2, 2), 0.5), tasks=["click", "like"], group=np.array([1, 2]), names=["auc", "gauc"]
    )
    reasons = metrics.as_dict()
    assert reasons["left_out"] == {"gauc": "click: no group holds both labels", "auc": "like: all labels are 1"}
    assert reasons["tasks"]["like"]["left_out"] == {"auc": "all labels are 1", "gauc": "all labels are 1"}
    assert reasons["tasks"]["click"] == {"auc": 0.5, "left_out": {"gauc": "no group holds both labels"}}


def test_weights_of_zero_and_missing_groups_are_told_apart() -> None:
    label, score = np.array([[0], [1]]), np.full((2, 1), 0.5)
    weighted = evaluate_predictions(label, score, tasks=["click"], weight=np.zeros(2), names=["auc", "gauc"])
    assert weighted.left_out == {"click": {"auc": "all weights are 0"}}  # no gauc: the data have no group
