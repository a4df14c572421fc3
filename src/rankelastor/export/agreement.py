"""Compare the probabilities of an exported file with those of the ranker, at several batch sizes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from rankelastor.calibration.calibration import NO_CALIBRATION
from rankelastor.calibration.calibrators import IsotonicCalibrator
from rankelastor.errors import RunError
from rankelastor.evaluation.run_scorer import RunScorer
from rankelastor.export.formats import ExportFormat, Scores
from rankelastor.export.graph_inputs import inputs_of, tensors_of
from rankelastor.logistic import expit, logit
from rankelastor.runs.load import LoadedRun
from rankelastor.schema import Batch

TOLERANCE = 1e-5
"""Largest difference of a probability that is taken."""
_BATCH_SIZES = (1, 2, 7)
_LAST_BITS = 2e-6
"""What rounding to six decimals makes of the last bits of a logit, which may move a row over a calibrator's step."""


@dataclass(frozen=True)
class Agreement:
    """What a comparison has shown.

    Attributes:
        num_rows: number of rows.
        batch_sizes: the sizes of the batches that were scored.
        largest_difference: of a probability.
    """

    num_rows: int
    batch_sizes: tuple[int, ...]
    largest_difference: float


def check_agreement(run: LoadedRun, rows: Batch, scores: Scores, form: ExportFormat) -> Agreement:
    """Score rows with an exported file in batches of 1, 2, 7 and all of them, and compare with the ranker in float32.

    Args:
        run: the run.
        rows: at least one row.
        scores: the scorer of the file.
        form: its format.

    Raises:
        RunError: a probability differs by more than ``TOLERANCE``.
    """
    low, high = _expected(run, rows)
    sizes = tuple(dict.fromkeys(min(size, rows.num_examples) for size in (*_BATCH_SIZES, rows.num_examples)))
    inputs = inputs_of(run.encoder.schema)
    largest = 0.0
    for size in sizes:
        parts = [np.asarray(scores(tensors_of(part, inputs))) for part in rows.split(size)]
        found = np.concatenate(parts)
        gap = np.maximum(low - found, found - high)
        if found.shape != low.shape or not (gap <= TOLERANCE).all():
            raise RunError(_disagreement(run, form, size, list(_first_wrong(found, low, gap))))
        largest = max(largest, float(gap.max(initial=0.0)))
    return Agreement(rows.num_examples, sizes, largest)


def _expected(run: LoadedRun, rows: Batch) -> tuple[Float64[ndarray, "row task"], Float64[ndarray, "row task"]]:
    """Compute the probabilities of the ranker: the lowest and the highest that rounding allows, mostly the same."""
    execution = run.recipe.training.execution.model_copy(update={"precision": "fp32"})
    training = run.recipe.training.model_copy(update={"execution": execution})
    plain = replace(run, recipe=run.recipe.model_copy(update={"training": training}), calibration=NO_CALIBRATION)
    with closing(RunScorer(plain, batch_size=rows.num_examples)) as score:
        probabilities = score(rows)
    limits = np.finfo(np.float64)
    logits = logit(np.clip(probabilities, limits.tiny, 1 - limits.epsneg))
    has_steps = any(isinstance(each.calibrator, IsotonicCalibrator) for each in run.calibration.choices.values())
    reach = _LAST_BITS if has_steps else 0.0
    return expit(run.calibration(logits - reach)), expit(run.calibration(logits + reach))


def _first_wrong(
    found: Float64[ndarray, "row task"], expected: Float64[ndarray, "row task"], gap: Float64[ndarray, "row task"]
) -> Iterator[str]:
    row = int(np.argmax(~(gap <= TOLERANCE).all(axis=1)))
    for values in (found, expected):
        yield ", ".join(f"{value:.9f}" for value in values[row])
    yield str(row + 1)


def _disagreement(run: LoadedRun, form: ExportFormat, size: int, shown: list[str]) -> str:
    found, expected, row = shown
    return (
        f"an export must give the ranker's probabilities within {TOLERANCE:.0e}, but {run.recipe.model.kind} in "
        f"{form.runtime} gives {found} and not {expected} for row {row} of the check (batches of {size}); nothing is "
        "written; try another format, or `rankelastor serve`"
    )
