"""Score batches with a loaded run: one model, or an ensemble with all of its members in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from rankelastor.evaluation.scoring import Columns, Examples, Predictions, Scorer
from rankelastor.logistic import expit
from rankelastor.models.ensemble import EnsembleRanker
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.runs.load import LoadedRun
from rankelastor.schema import Batch


class RunScorer:
    """Compute the probabilities of batches, corrected for what training did to the odds, and calibrated.

    Those of an ensemble come from the mean of its members' logits. The members' own are corrected, too, but not
    calibrated.

    Args:
        run: the run, whose weights must not change.
        batch_size: largest number of examples to score at a time.
    """

    def __init__(self, run: LoadedRun, *, batch_size: int) -> None:
        self._num_members = len(run.members)
        self._num_tasks = len(run.encoder.schema.tasks)
        self._shift = run.recipe.odds.logit_shift
        self._calibration = run.calibration
        ranker = run.ranker
        if self._num_members:
            assert isinstance(ranker, EnsembleRanker), "an ensemble has members"
            ranker = ranker.side_by_side
        self._scorer = Scorer(ranker, run.recipe.training.execution, batch_size=batch_size, is_fixed=True)

    def __call__(self, batch: Batch) -> Float64[ndarray, "batch task"]:
        """Compute the probabilities of one batch.

        Raises:
            RunError: the ranker's logits are not all finite.
        """
        return self.with_members(batch)[0]

    def with_members(
        self, batch: Batch
    ) -> tuple[Float64[ndarray, "batch task"], Float64[ndarray, "batch member task"]]:
        """Compute the probabilities of one batch, and those of each member; a single run has no members."""
        shape = batch.num_examples, max(1, self._num_members), self._num_tasks
        logits = self._scorer.logits(batch).reshape(shape) + self._shift
        return expit(self._calibration(logits.mean(axis=1))), expit(logits[:, : self._num_members])

    def close(self) -> None:
        """Stop the threads."""
        self._scorer.close()


@dataclass(frozen=True)
class RunPredictions:
    """Predictions of a run for labelled examples, and those of each member if it is an ensemble."""

    predictions: Predictions
    members: tuple[Predictions, ...] = ()


def score_run(run: LoadedRun, examples: Examples, *, progress: ProgressListener | None = None) -> RunPredictions:
    """Score all examples with a run.

    Args:
        run: the run.
        examples: batches with labels.
        progress: receives the number of examples scored.

    Raises:
        RunError: the ranker's logits are not all finite.
    """
    progress = progress or SilentProgress()
    progress.begin("scoring", total=examples.num_rows, unit="examples")
    scorer = RunScorer(run, batch_size=examples.batch_size)
    columns = Columns()
    members: list[Float64[ndarray, "batch member task"]] = []
    try:
        for batch in examples.epoch():
            probability, of_members = scorer.with_members(batch)
            columns.add(batch, probability)
            members.append(of_members)
            progress.advance(batch.num_examples)
    finally:
        scorer.close()
        progress.end()
    predictions = columns.join(run.encoder.schema.tasks, run.recipe.odds)
    return RunPredictions(predictions, predictions_of_members(predictions, members))


def predictions_of_members(
    predictions: Predictions, members: list[Float64[ndarray, "_ member task"]]
) -> tuple[Predictions, ...]:
    """Make the predictions of each member for the same examples from their probabilities, batch by batch."""
    by_member = np.moveaxis(np.concatenate(members), 1, 0)
    return tuple(predictions.with_probability(np.ascontiguousarray(each)) for each in by_member)
