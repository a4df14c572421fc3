"""The calibration of a run: one calibrator per task, in a file of its own."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from rankelastor.calibration.calibration import FILE_NAME, NO_CALIBRATION, fit_calibration, read_calibration
from rankelastor.errors import RunError

DRAWS = np.random.default_rng(2)
LOGITS = DRAWS.normal(-1, 2, (2000, 2))
LABELS = (DRAWS.random((2000, 2)) < expit(LOGITS * np.array([0.3, 1.5]) + np.array([0.0, 0.5]))).astype(np.float32)


def test_each_task_has_its_own_calibrator() -> None:
    both = fit_calibration("platt", LABELS, LOGITS, tasks=["click", "like"])
    for place, task in enumerate(["click", "like"]):
        alone = fit_calibration("platt", LABELS[:, [place]], LOGITS[:, [place]], tasks=[task])
        assert both.choices[task] == alone.choices[task]
        assert np.array_equal(both(LOGITS)[:, [place]], alone(LOGITS[:, [place]]))


def test_a_folder_gives_back_the_same_logits(tmp_path: Path) -> None:
    for kind in ("platt", "isotonic"):
        fitted = fit_calibration(kind, LABELS, LOGITS, tasks=["click", "like"])
        fitted.write(tmp_path)
        assert np.array_equal(read_calibration(tmp_path, tasks=["click", "like"])(LOGITS), fitted(LOGITS))


def test_a_folder_without_the_file_has_no_calibration(tmp_path: Path) -> None:
    assert read_calibration(tmp_path, tasks=["click"]) == NO_CALIBRATION
    assert not NO_CALIBRATION.changes_logits


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format_version": 1, "tasks": {}}',
        '{"format_version": 1, "tasks": {"click": {"kind": "platt"}}}',
        '{"format_version": 1, "tasks": {"click": {"kind": "other", "slope": 1, "offset": 0}}}',
        '{"format_version": 1, "tasks": {"click": {"kind": "platt", "slope": -1, "offset": 0}}}',
        '{"format_version": 1, "tasks": {"click": {"kind": "platt", "slope": NaN, "offset": 0}}}',
    ],
)
def test_a_damaged_file_is_refused_by_its_name(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(RunError, match=r"calibration\.json must hold a calibrator for each of \['click'\]"):
        read_calibration(tmp_path, tasks=["click"])


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps({"format_version": 2, "tasks": {}}))
    with pytest.raises(RunError, match="a newer version of rankelastor wrote it"):
        read_calibration(tmp_path, tasks=["click"])


def test_what_was_chosen_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="rankelastor")
    fit_calibration("platt", LABELS, LOGITS, tasks=["click", "like"])
    fit_calibration("platt", LABELS[:5, [0]], LOGITS[:5, [0]], tasks=["click"])
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0].startswith("probabilities of click are calibrated by platt (slope 0.")
    assert messages[1].startswith("probabilities of like are calibrated by platt (slope 1.")
    assert messages[2].startswith("probabilities stay as they are: valid holds ")
