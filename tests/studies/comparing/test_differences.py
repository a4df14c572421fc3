"""Differences on the same rows: DeLong for AUC, and a bootstrap whose interval is that of theory where there is one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rankelastor.metrics.intervals import delong
from rankelastor.metrics.likelihood import row_losses
from rankelastor.studies.comparing.differences import differences


def rows(num_rows: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, the probabilities that they were drawn from, and a worse guess."""
    draws = np.random.default_rng(1)
    logit = draws.normal(size=num_rows)
    label = (draws.random(num_rows) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    return label, 1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(-(logit + draws.normal(size=num_rows))))


def test_a_better_model_is_told_apart_in_each_metric() -> None:
    label, good, poor = rows()
    group = np.arange(len(label)) // 20
    found = {each.metric: each for each in differences(label, good, poor, group=group)}
    assert list(found) == ["auc", "gauc", "logloss"]
    assert all(each.is_told_apart for each in found.values())
    assert "good is better than poor" in found["logloss"].words("good", "poor")
    assert "poor is worse than good" in differences(label, poor, good)[0].words("poor", "good")


def test_the_interval_of_the_logloss_is_about_that_of_its_standard_error() -> None:
    label, good, poor = rows()
    found = differences(label, good, poor)[-1]
    gaps = row_losses(label, good) - row_losses(label, poor)
    half = 1.96 * gaps.std() / np.sqrt(len(gaps))
    assert (found.low, found.high) == pytest.approx((gaps.mean() - half, gaps.mean() + half), abs=0.15 * half)


def test_one_model_beside_itself_cannot_be_told_apart() -> None:
    label, good, _ = rows(500)
    for found in differences(label, good, good, group=np.arange(500) // 10):
        assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)
        assert "a and b cannot be told apart" in found.words("a", "b")


def test_auc_of_independent_models_has_the_variance_of_both() -> None:
    label, good, _ = rows()
    noise = np.random.default_rng(5).random(len(label))
    found = differences(label, good, noise)[0]
    halves = [(each.high - each.low) / 2 for each in (delong(label, good, None), delong(label, noise, None)) if each]
    assert (found.high - found.low) / 2 == pytest.approx(math.hypot(*halves), rel=0.05)
