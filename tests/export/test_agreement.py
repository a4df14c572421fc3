"""Whether what was exported agrees with the ranker is asked at several batch sizes, and up to 1e-5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor

from rankelastor.calibration.calibration import Calibration
from rankelastor.calibration.calibrators import IsotonicCalibrator
from rankelastor.calibration.choice import CalibratorChoice
from rankelastor.errors import RunError
from rankelastor.export.agreement import check_agreement
from rankelastor.export.formats import FORMATS, Scores
from rankelastor.export.graph import graph_of
from rankelastor.export.graph_inputs import made_rows
from rankelastor.runs.load import LoadedRun
from rankelastor.schema import Batch


@pytest.fixture
def rows(run: LoadedRun) -> Batch:
    return made_rows(run.encoder.schema)


def scores_with(run: LoadedRun, gap: Mapping[int, float]) -> Scores:
    """Make a scorer that is wrong by a gap where a batch has this size."""
    graph = graph_of(run)

    def scores(tensors: Mapping[str, Tensor]) -> Float64[ndarray, "row task"]:
        with torch.no_grad():
            found: Float64[ndarray, "row task"] = graph(**tensors).numpy()
        return found + gap.get(len(found), 0.0)

    return scores


def test_the_largest_difference_is_told(run: LoadedRun, rows: Batch) -> None:
    found = check_agreement(run, rows, scores_with(run, {2: 3e-6}), FORMATS[0])
    assert (found.num_rows, found.batch_sizes) == (100, (1, 2, 7, 100))
    assert found.largest_difference == pytest.approx(3e-6, rel=0.2)


@pytest.mark.parametrize(("size", "gap"), [(1, 2e-5), (2, -2e-5), (7, 0.5), (100, float("nan"))])
def test_a_difference_at_any_batch_size_is_refused(run: LoadedRun, rows: Batch, size: int, gap: float) -> None:
    with pytest.raises(RunError, match=rf"in ONNX Runtime gives .* for row 1 of the check \(batches of {size}\)"):
        check_agreement(run, rows, scores_with(run, {size: gap}), FORMATS[0])


def test_a_single_row_is_scored_once(run: LoadedRun, rows: Batch) -> None:
    assert check_agreement(run, next(rows.split(1)), scores_with(run, {}), FORMATS[1]).batch_sizes == (1,)


def test_a_row_at_the_step_of_a_calibrator_may_lie_on_either_side(run: LoadedRun, rows: Batch) -> None:
    with torch.no_grad():
        logits = np.sort(run.ranker(rows).double().numpy()[:, 0].round(6))
    middle = float(logits[50])
    steps = IsotonicCalibrator((middle - 1e-6, middle), (0.2, 0.8))
    stepped = replace(run, calibration=Calibration({"click": CalibratorChoice("isotonic", steps)}))
    lower = replace(steps, logits=(middle, middle + 1e-6))
    shifted = replace(run, calibration=Calibration({"click": CalibratorChoice("isotonic", lower)}))
    check_agreement(stepped, rows, scores_with(shifted, {}), FORMATS[0])
    far = replace(steps, logits=(middle + 0.1, middle + 0.2))
    wrong = replace(run, calibration=Calibration({"click": CalibratorChoice("isotonic", far)}))
    with pytest.raises(RunError, match="gives"):
        check_agreement(stepped, rows, scores_with(wrong, {}), FORMATS[0])
