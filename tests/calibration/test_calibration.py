"""The calibration of a run: one calibrator per task, in a file of its own."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from rankelastor.calibration.calibration import FILE_NAME, NO_CALIBRATION, fit_calibration, read_calibration
from rankelastor.calibration.choice import LabelMass
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


def test_a_file_with_shrunk_logits_is_read_as_it_was_written_and_says_that_earlier_versions_do_not_know_them(
    tmp_path: Path,
) -> None:
    train = [LabelMass(100, 900)] * 2
    fitted = fit_calibration("auto", np.tile([[1, 0]], (120, 1)), LOGITS[:120], tasks=["click", "like"], train=train)
    assert [each.kind for each in fitted.choices.values()] == ["none", "none"]  # one class
    few = np.zeros((120, 2))
    few[:5] = 1
    fitted = fit_calibration("auto", few, LOGITS[:120], tasks=["click", "like"], train=train)
    assert [each.kind for each in fitted.choices.values()] == ["shrunk", "shrunk"]
    fitted.write(tmp_path)
    assert np.array_equal(read_calibration(tmp_path, tasks=["click", "like"])(LOGITS), fitted(LOGITS))
    assert json.loads((tmp_path / FILE_NAME).read_text())["format_version"] == 3


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
    (tmp_path / FILE_NAME).write_text(json.dumps({"format_version": 4, "tasks": {}}))
    with pytest.raises(RunError, match="a newer version of rankelastor wrote it"):
        read_calibration(tmp_path, tasks=["click"])


def test_a_makeshift_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    fit_calibration("platt", LABELS, LOGITS, tasks=["click", "like"])
    assert not caplog.records
    fit_calibration("platt", LABELS[:5], LOGITS[:5], tasks=["click", "like"])
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0].startswith("calibration of click is none, since valid holds ")
    assert len(messages) == 2


def test_that_auto_does_not_help_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    right = np.random.default_rng(2).normal(0, 1, (400, 1))
    label = (np.random.default_rng(102).random((400, 1)) < expit(right)).astype(np.float32)
    choice = fit_calibration("auto", label, right, tasks=["click"]).choices["click"]
    assert choice.kind == "none"
    assert "does not lower the logloss" in choice.reason
    assert not caplog.records
