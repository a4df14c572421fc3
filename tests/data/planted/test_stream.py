"""The rows of a planted log depend on their place alone, and its best figures are those of its own probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from rankelastor.data.planted.settings import PlantedSettings
from rankelastor.data.planted.stream import BLOCK_ROWS, PlantedRows, PlantedStream
from rankelastor.schema import SplitName

SMALL = PlantedSettings(num_fields=5, vocabulary=20, num_interactions=4, order=3)


def rows(settings: PlantedSettings, split: SplitName = "train", num_rows: int = 30_000) -> PlantedRows:
    return next(PlantedStream(settings).rows(split, num_rows))


def test_a_longer_log_begins_with_the_rows_of_a_shorter_one() -> None:
    first, *more = PlantedStream(SMALL).rows("train", 2 * BLOCK_ROWS + 1)
    assert [len(each) for each in more] == [BLOCK_ROWS, 1]
    assert np.array_equal(first.codes[:100], rows(SMALL, num_rows=100).codes)
    assert not np.array_equal(first.codes, more[0].codes)  # fresh rows


def test_splits_share_the_truth_and_no_rows() -> None:
    train, test = rows(SMALL), rows(SMALL, "test")
    assert not np.array_equal(train.codes, test.codes)
    known = {tuple(codes): p for codes, p in zip(train.codes.tolist(), train.probability, strict=True)}
    both = [(known[tuple(codes)], p) for codes, p in zip(test.codes.tolist(), test.probability, strict=True)
            if tuple(codes) in known]  # fmt: skip
    assert len(both) > 100
    assert all(one == pytest.approx(other) for one, other in both)


def test_clicks_come_at_the_rate_and_with_the_probabilities_that_are_told() -> None:
    found = rows(SMALL)
    assert found.label.mean() == pytest.approx(0.25, abs=0.02)
    likely = found.probability > 0.5
    assert found.label[likely].mean() == pytest.approx(found.probability[likely].mean(), abs=0.02)


def test_noise_is_what_nobody_can_learn() -> None:
    """The probability is the mean over the noise: drawing the noise gives the same share of clicks."""
    noisy = SMALL.model_copy(update={"noise": 2.0})
    sure, blurred = rows(SMALL), rows(noisy)
    assert np.array_equal(sure.codes, blurred.codes)
    assert blurred.probability.std() < 0.8 * sure.probability.std()
    truth = PlantedStream(noisy).truth
    effects, interactions = truth.parts(blurred.codes[:1])
    logit = truth.bias + truth.scales[0] * effects[0] + truth.scales[1] * interactions[0]
    drawn = 1 / (1 + np.exp(-(logit + 2.0 * np.random.default_rng(1).normal(size=200_000))))
    assert blurred.probability[0] == pytest.approx(drawn.mean(), abs=0.003)


def test_strength_is_the_deviation_of_the_interactions() -> None:
    truth = PlantedStream(SMALL).truth
    _, interactions = truth.parts(rows(SMALL).codes)
    assert (truth.scales[1] * interactions).std() == pytest.approx(SMALL.strength, rel=0.05)


def test_every_field_is_in_about_as_many_interactions() -> None:
    groups = PlantedStream(PlantedSettings(num_fields=6, num_interactions=6, order=2)).truth.groups
    counts = np.bincount([field for group in groups for field in group])
    assert counts.tolist() == [2] * 6
    assert all(len(set(group)) == 2 for group in groups)


def test_more_fields_than_there_are_cannot_meet() -> None:
    with pytest.raises(ValidationError, match="order must be at most num_fields = 3, but 4 was given"):
        PlantedSettings(num_fields=3, order=4)
    with pytest.raises(ValidationError, match="one number for each of num_fields = 3 fields, but 2 were given"):
        PlantedSettings(num_fields=3, vocabulary=(5, 6))
