"""What is fitted depends on the rows of each class; auto keeps only what helps on held-out rows."""

import numpy as np
import pytest
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.special import expit

from rankelastor.calibration.affine_fit import fit_offset, fit_platt
from rankelastor.calibration.calibrators import UNCALIBRATED, AffineCalibrator
from rankelastor.calibration.choice import LabelMass, choose_calibrator
from rankelastor.config.calibration import CALIBRATION_KINDS, CalibrationKind
from rankelastor.metrics.likelihood import logloss, row_losses


def rows(
    num_positive: int, num_negative: int, *, slope: float = 0.4, seed: int = 0
) -> tuple[Int[ndarray, " row"], Float[ndarray, " row"]]:
    """Rows of each class whose logits are 1 / slope times what they should be."""
    draws = np.random.default_rng(seed)
    label = np.repeat([1, 0], [num_positive, num_negative])
    true = draws.normal(np.where(label == 1, 0.5, -0.5), 1.0)  # the logit of the label is the value itself
    true += np.log(num_positive / num_negative)
    order = draws.permutation(len(label))
    return label[order], (true / slope)[order]


def test_auto_takes_platt_for_over_confident_logits() -> None:
    label, logits = rows(400, 2000)
    choice = choose_calibrator("auto", label, logits)
    assert choice.kind == "platt"
    assert choice.calibrator == fit_platt(label, logits)
    assert choice.reason == ""
    assert (choice.num_positive, choice.num_negative) == (400, 2000)
    assert choice.held_out_before is not None
    assert choice.held_out_after is not None
    assert choice.held_out_after < choice.held_out_before
    assert choice.held_out_before == pytest.approx(logloss(label, expit(logits)))


def test_auto_leaves_logits_that_are_right() -> None:
    chosen = [choose_calibrator("auto", *rows(60, 60, slope=1.0, seed=seed)) for seed in range(20)]
    left = [choice for choice in chosen if choice.kind == "none"]
    assert len(left) > 10
    assert all(choice.calibrator == UNCALIBRATED for choice in left)
    assert all("does not lower the logloss of rows of valid that were held out" in choice.reason for choice in left)


@pytest.mark.parametrize("kind", ["platt", "temperature", "isotonic", "auto"])
def test_few_rows_of_a_class_allow_an_offset_alone(kind: CalibrationKind) -> None:
    label, logits = rows(49, 3000)
    choice = choose_calibrator(kind, label, logits + 2.0)
    assert choice.kind == "offset"
    assert choice.calibrator == fit_offset(label, logits + 2.0)
    assert choice.reason == (
        "valid holds 49 rows with label 1 and 3,000 with label 0, fewer than 50 of one, which allows an offset alone"
    )
    assert choose_calibrator(kind, *rows(50, 3000)).kind != "offset"


@pytest.mark.parametrize("kind", [kind for kind in CALIBRATION_KINDS if kind != "none"])
@pytest.mark.parametrize(("num_positive", "num_negative"), [(9, 3000), (3000, 9), (0, 500), (500, 0), (1, 1)])
def test_very_few_rows_or_one_class_allow_nothing(kind: CalibrationKind, num_positive: int, num_negative: int) -> None:
    label = np.repeat([1, 0], [num_positive, num_negative])
    choice = choose_calibrator(kind, label, np.linspace(-1, 1, len(label)))
    assert (choice.kind, choice.calibrator) == ("none", UNCALIBRATED)
    assert choice.reason == (
        f"valid holds {num_positive:,} rows with label 1 and {num_negative:,} with label 0, fewer than 10 of one"
    )


def test_auto_shrinks_the_logits_of_few_rows_of_a_class_to_the_label_rate_of_train_and_valid() -> None:
    label, logits = rows(7, 193)
    choice = choose_calibrator("auto", label, logits, train=LabelMass(positive=43, negative=757))
    assert choice.kind == "shrunk"
    assert isinstance(choice.calibrator, AffineCalibrator)
    assert choice.calibrator.slope == 0.75
    assert expit(choice.calibrator(logits)).mean() == pytest.approx((7 + 43) / (200 + 800))
    assert choice.reason == (
        "valid holds 7 rows with label 1 and 193 with label 0, fewer than 50 of one, which allow no slope of their own"
    )
    assert choice.is_makeshift


def test_a_label_rate_of_valid_that_is_not_that_of_train_counts_alone() -> None:
    label, logits = rows(20, 180)
    choice = choose_calibrator("auto", label, logits, train=LabelMass(positive=300, negative=700))
    assert choice.kind == "shrunk"
    assert expit(choice.calibrator(logits)).mean() == pytest.approx(0.1)


def test_shrinking_looks_at_no_label_of_a_row_and_counts_weights() -> None:
    label, logits = rows(7, 193)
    train, weight = LabelMass(positive=43, negative=757), np.where(label > 0, 1.0, 5.0)
    chosen = choose_calibrator("auto", label, logits, train=train)
    assert choose_calibrator("auto", label[::-1], logits, train=train).calibrator == chosen.calibrator
    weighted = choose_calibrator("auto", label, logits, weight, train=train)
    mean = np.average(expit(weighted.calibrator(logits)), weights=weight)
    assert mean == pytest.approx((7 + 43) / (7 + 5 * 193 + 800))


@pytest.mark.parametrize(
    ("num_positive", "num_negative", "train"),
    [
        (0, 200, (50, 50)),
        (200, 0, (50, 50)),
        (7, 92, (50, 50)),
        (7, 193, (9, 900)),
        (7, 193, (900, 9)),
        (50, 150, (90, 90)),
    ],
    ids=["no positives", "no negatives", "99 rows", "9 of train are positive", "9 of train are negative", "50 of each"],
)
def test_auto_shrinks_nothing_with_one_class_few_rows_little_of_train_or_enough_for_a_slope(
    num_positive: int, num_negative: int, train: tuple[float, float]
) -> None:
    label, logits = rows(max(num_positive, 1), max(num_negative, 1))
    keep = (label > 0) & (num_positive > 0) | (label <= 0) & (num_negative > 0)
    choice = choose_calibrator("auto", label[keep], logits[keep], train=LabelMass(*train))
    assert choice.kind != "shrunk"


@pytest.mark.parametrize("kind", [kind for kind in CALIBRATION_KINDS if kind != "auto"])
def test_what_is_asked_for_by_name_is_not_shrunk(kind: CalibrationKind) -> None:
    choice = choose_calibrator(kind, *rows(7, 193), train=LabelMass(50, 750))
    assert choice.kind == "none"


@pytest.mark.parametrize("kind", ["platt", "temperature", "auto"])
def test_a_slope_that_is_not_above_0_is_not_taken(kind: CalibrationKind) -> None:
    label, logits = rows(300, 300)
    choice = choose_calibrator(kind, label, -logits)
    assert choice.kind == "none"
    assert choice.reason == f"the slope of {'platt' if kind == 'auto' else kind} on valid is not above 0"


def test_auto_wants_half_a_standard_error_of_gain() -> None:
    """Whether a map is kept is decided by the gain of held-out rows over its standard error, computed naively."""
    for seed in range(12):
        label, logits = rows(80, 120, slope=0.8, seed=seed)
        held_out = np.zeros(200)
        part = np.zeros(200, dtype=int)
        for value in (0, 1):
            part[label == value] = np.arange((label == value).sum()) % 5
        for each in range(5):
            fitted = fit_platt(label[part != each], logits[part != each])
            assert fitted is not None
            held_out[part == each] = fitted(logits[part == each])
        gains = row_losses(label, expit(logits)) - row_losses(label, expit(held_out))
        is_kept = gains.mean() > 0.5 * gains.std() / np.sqrt(200)
        assert choose_calibrator("auto", label, logits).kind == ("platt" if is_kept else "none")


def test_a_kind_that_was_asked_for_is_fitted_whether_it_helps_or_not() -> None:
    label, logits = rows(60, 60, slope=1.0, seed=1)
    assert choose_calibrator("auto", label, logits).kind == "none"
    for kind in ("platt", "temperature", "isotonic", "offset"):
        assert choose_calibrator(kind, label, logits).kind == kind


def test_none_fits_nothing() -> None:
    choice = choose_calibrator("none", *rows(60, 60))
    assert (choice.kind, choice.calibrator, choice.reason) == ("none", UNCALIBRATED, "")


def test_rows_of_weight_0_do_not_count() -> None:
    label, logits = rows(60, 60)
    weight = np.where(np.arange(120) < 80, 1.0, 0.0)
    choice = choose_calibrator("platt", label, logits, weight)
    assert choice.kind == "offset"
    assert choice.num_positive + choice.num_negative == 80


def test_held_out_rows_do_not_see_their_own_labels() -> None:
    """The logloss of held-out rows is that of a naive loop over five parts dealt out within each class."""
    label, logits = rows(80, 120)
    part = np.zeros(200, dtype=int)
    for value in (0, 1):
        part[label == value] = np.arange((label == value).sum()) % 5
    held_out = np.zeros(200)
    for each in range(5):
        fitted = fit_platt(label[part != each], logits[part != each])
        assert fitted is not None
        held_out[part == each] = fitted(logits[part == each])
    assert choose_calibrator("auto", label, logits).held_out_after == pytest.approx(logloss(label, expit(held_out)))
