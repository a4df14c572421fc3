"""Evaluate the best weights of a run on a split, or on labelled rows that were not prepared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.raw.inputs import Table
from rankelastor.evaluation.labelled_rows import score_labelled
from rankelastor.evaluation.scoring import score_split
from rankelastor.evaluation.unseen import count_unseen
from rankelastor.execution.cores import borrowed_cores
from rankelastor.metrics.report import Metrics
from rankelastor.progress import ProgressListener
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.runs.result import UnseenFigures
from rankelastor.schema import SplitName


def evaluate(
    folder: str | Path | LoadedRun,
    *,
    split: SplitName = "test",
    on: Table | None = None,
    prepared: str | Path | None = None,
    progress: ProgressListener | None = None,
) -> Metrics:
    """Compute the metrics of a run's best weights on a split of its prepared data, or on new labelled rows.

    Args:
        folder: a run folder, or a loaded run.
        split: the split of the prepared data that the run was trained on.
        on: labelled rows to evaluate instead: the path of a file or folder, a stream of bytes, or a frame of polars,
            pandas or Arrow. They need the columns of the training files; without that of the group, metrics by group
            are left out.
        prepared: the prepared folder, if it was moved; see ``LoadedRun.dataset``.
        progress: receives the progress of the scoring.

    Raises:
        RunError: the run folder cannot be used.
        StalePreparedError: the prepared folder has changed since the training.
        DataError: the prepared folder or the split is missing, or the new rows are wrong.
    """
    return evaluate_with_unseen(folder, split=split, on=on, prepared=prepared, progress=progress).metrics


@dataclass(frozen=True)
class EvaluatedSplit:
    """Metrics of a split, and figures on its values that training has not seen."""

    metrics: Metrics
    unseen: UnseenFigures


def evaluate_with_unseen(
    folder: str | Path | LoadedRun,
    *,
    split: SplitName = "test",
    on: Table | None = None,
    prepared: str | Path | None = None,
    progress: ProgressListener | None = None,
) -> EvaluatedSplit:
    """Compute metrics as ``evaluate`` does, the share of unseen values by field, and the AUC of examples with any.

    Raises:
        RunError: the run folder cannot be used.
        StalePreparedError: the prepared folder has changed since the training.
        DataError: the prepared folder or the split is missing, or the new rows are wrong.
    """
    run = folder if isinstance(folder, LoadedRun) else load_run(folder)
    training = run.recipe.training
    with borrowed_cores(training.execution.threads):
        if on is not None:
            scored = score_labelled(run, on, progress=progress)
            return EvaluatedSplit(scored.predictions.metrics(), scored.unseen.report(scored.predictions))
        loader = BatchLoader(run.dataset(prepared).split(split), batch_size=training.evaluation_batch_size)
        tasks = run.encoder.schema.tasks
        predictions = score_split(run.ranker, loader, training.execution, tasks=tasks, progress=progress)
        unseen = count_unseen(loader, run.encoder.manifest).report(predictions)
        return EvaluatedSplit(predictions.metrics(), unseen)
