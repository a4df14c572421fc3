"""The calibration of a run: one calibrator per task, fitted on valid and stored as ``calibration.json``."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import Float, Float64, Shaped
from numpy import ndarray

from rankelastor.calibration.calibrators import UNCALIBRATED, Calibrator, calibrator_from
from rankelastor.calibration.choice import CalibratorChoice, FittedKind, LabelMass, choose_calibrator
from rankelastor.config.calibration import CalibrationKind
from rankelastor.errors import RunError
from rankelastor.storage import whole_file

FILE_NAME = "calibration.json"
_FORMAT_VERSION = 3
"""Version 3 may hold a calibrator of kind ``shrunk``, which earlier versions do not know."""
_WITH_OFFSET = 2
"""Version 2 may hold an ``offset``, which earlier versions would leave out."""
_WITHOUT_OFFSET = 1
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calibration:
    """Calibrators by task, in the order of the tasks; without any, logits stay as they are.

    ``offset`` is added to every logit in the end: the logarithm of the share of its negatives that a thinned log holds.

    Example:
        >>> from rankelastor.calibration.calibrators import AffineCalibrator
        >>> halved = Calibration({"click": CalibratorChoice("platt", AffineCalibrator(0.5, 0.0))})
        >>> halved(np.array([[4.0]])).tolist(), Calibration()(np.array([[4.0]])).tolist()
        ([[2.0]], [[4.0]])
    """

    choices: Mapping[str, CalibratorChoice] = field(default_factory=dict)
    offset: float = 0.0

    @property
    def changes_logits(self) -> bool:
        """Whether a logit may change."""
        return self.offset != 0 or any(choice.calibrator != UNCALIBRATED for choice in self.choices.values())

    def __call__(self, logits: Float[ndarray, "example task"]) -> Float64[ndarray, "example task"]:
        """Calibrate logits that are corrected for what training did to the odds."""
        if not self.changes_logits or not logits.size:
            return logits.astype(np.float64)
        if not self.choices:
            return logits.astype(np.float64) + self.offset
        calibrators: Iterator[Calibrator] = (choice.calibrator for choice in self.choices.values())
        calibrated = np.stack([each(column) for each, column in zip(calibrators, logits.T, strict=True)], axis=1)
        return calibrated + self.offset if self.offset else calibrated

    @property
    def _format_version(self) -> int:
        if any(choice.kind == "shrunk" for choice in self.choices.values()):
            return _FORMAT_VERSION
        return _WITH_OFFSET if self.offset else _WITHOUT_OFFSET

    def write(self, folder: Path) -> None:
        """Write ``calibration.json`` into a run folder.

        Raises:
            StorageError: the file cannot be written.
        """
        values: dict[str, Any] = {
            "format_version": self._format_version,
            "tasks": {
                task: {"kind": choice.kind, **choice.calibrator.as_dict()} for task, choice in self.choices.items()
            },
        }
        if self.offset:
            values["offset"] = self.offset
        with whole_file(folder / FILE_NAME) as temporary:
            temporary.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")


NO_CALIBRATION = Calibration()
"""Leaves every logit as it is."""


def fit_calibration(
    kind: CalibrationKind,
    label: Shaped[ndarray, "example task"],
    logits: Float[ndarray, "example task"],
    *,
    tasks: Sequence[str],
    weight: Float[ndarray, " example"] | None = None,
    train: Sequence[LabelMass] | None = None,
) -> Calibration:
    """Choose a calibrator for each task, see ``choose_calibrator``; warn if it cannot be what was asked for.

    Args:
        kind: what was asked for; ``none`` gives no calibration.
        label: 0 or 1.
        logits: finite, corrected for what training did to the odds.
        tasks: names of the columns.
        weight: weight of each example in metrics, or None.
        train: the labels of train, by task; None if they are not known.
    """
    if kind == "none":
        return NO_CALIBRATION
    labels_of_train: Sequence[LabelMass | None] = train or [None] * len(tasks)
    columns = zip(tasks, label.T, logits.T, labels_of_train, strict=True)
    found = Calibration(
        {
            task: choose_calibrator(
                kind, np.ascontiguousarray(labels), np.ascontiguousarray(scores), weight, train=of_train
            )
            for task, labels, scores, of_train in columns
        }
    )
    for task, choice in found.choices.items():
        if choice.is_makeshift:
            of = f" of {task}" if len(tasks) > 1 else ""
            _logger.warning("calibration%s is %s, since %s", of, choice.kind, choice.reason)
    return found


def read_calibration(folder: Path, *, tasks: Sequence[str]) -> Calibration:
    """Read the calibration of a run folder; a folder without one has none.

    Args:
        folder: the run folder.
        tasks: names of the run's tasks.

    Raises:
        RunError: the file is damaged, or belongs to other tasks.
    """
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return NO_CALIBRATION
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} must hold the calibration of a run, but cannot be read: {error}") from None
    try:
        values = json.loads(text)
        if values["format_version"] > _FORMAT_VERSION:
            raise RunError(
                f"{path} must have format_version {_FORMAT_VERSION} or lower, but has {values['format_version']}: a "
                "newer version of rankelastor wrote it; update rankelastor"
            )
        offset = _offset(values)
        has_none = offset != 0 and not values["tasks"]
        choices = {} if has_none else {task: _choice(values["tasks"][task]) for task in tasks}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise RunError(
            f"{path} must hold a calibrator for each of {list(tasks)}, but does not: {error}; restore it from a copy, "
            "or train again"
        ) from None
    return Calibration(choices, offset)


def _offset(values: Mapping[str, Any]) -> float:
    offset = float(values.get("offset", 0.0))
    if not math.isfinite(offset):
        raise ValueError(f"an offset must be finite, but {offset} was given")
    return offset


def _choice(values: Mapping[str, Any]) -> CalibratorChoice:
    kind: FittedKind = values["kind"]
    if kind not in get_args(FittedKind):
        raise ValueError(f"kind must be one of {list(get_args(FittedKind))}, but is {kind!r}")
    return CalibratorChoice(kind, calibrator_from(values))
