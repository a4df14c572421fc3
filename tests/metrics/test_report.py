import numpy as np

from rankelastor.metrics.report import evaluate_predictions


def test_all_metrics_come_to_six_decimals() -> None:
    label = np.array([0, 1, 0, 1, 1])
    probability = np.array([0.12345678, 0.8, 0.3, 0.4, 0.7])
    metrics = evaluate_predictions(label, probability, np.array([1, 1, 2, 2, 2])).as_dict()
    assert metrics["auc"] == 1.0
    assert metrics["gauc"] == 1.0
    assert metrics["num_examples"] == 5
    assert all(round(value, 6) == value for value in metrics.values())


def test_a_metric_that_is_missing_is_left_out() -> None:
    metrics = evaluate_predictions(np.array([1, 1]), np.array([0.5, 0.5])).as_dict()
    assert "gauc" not in metrics
    assert "auc" not in metrics
    assert "normalized_entropy" not in metrics
    assert metrics["calibration_ratio"] == 0.5
