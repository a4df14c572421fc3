"""Evaluate the best weights of a run on a split, or on labelled rows that were not prepared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rankelastor.alarms.alarm import Alarm, log_alarms
from rankelastor.alarms.table import sound
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.raw.inputs import Table
from rankelastor.evaluation.alarm_facts import score_facts, unseen_facts
from rankelastor.evaluation.by_value import ValueMetrics, metrics_by_value
from rankelastor.evaluation.labelled_rows import score_labelled
from rankelastor.evaluation.run_scorer import score_run
from rankelastor.evaluation.scoring import Predictions
from rankelastor.evaluation.unseen import UnseenValues, count_unseen
from rankelastor.execution.cores import borrowed_cores
from rankelastor.metrics.intervals import Interval
from rankelastor.metrics.report import Metrics
from rankelastor.percent import percent
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
            are left out. They count as rows of the same log: thinned as ``data.negatives_kept`` says.
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
    """Metrics of a split, figures on its values that training has not seen, and what is likely wrong.

    ``intervals`` are those of 95 % by task and metric; ``by_value`` are metrics for each value of a field, worst first.
    ``members`` are the metrics of each member of an ensemble, by the name of its folder, without the calibration.
    """

    metrics: Metrics
    unseen: UnseenFigures
    alarms: tuple[Alarm, ...] = ()
    intervals: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    by_value: tuple[ValueMetrics, ...] = ()
    members: Mapping[str, Metrics] = field(default_factory=dict)

    def __repr__(self) -> str:
        unseen = percent(self.unseen.share_of_examples, digits=2)
        return f"EvaluatedSplit({self.metrics}, {unseen} of the rows with unseen values)"


def evaluate_with_unseen(
    folder: str | Path | LoadedRun,
    *,
    split: SplitName = "test",
    on: Table | None = None,
    prepared: str | Path | None = None,
    by: str | None = None,
    progress: ProgressListener | None = None,
) -> EvaluatedSplit:
    """Compute metrics as ``evaluate`` does, the share of unseen values by field, and the AUC of examples with any.

    What is likely wrong is logged, too: see ``rankelastor.alarms``. ``by`` names a field for whose values metrics are
    computed, too.

    Raises:
        SettingsError: ``by`` names no field with one id a row.
        RunError: the run folder cannot be used.
        StalePreparedError: the prepared folder has changed since the training.
        DataError: the prepared folder or the split is missing, or the new rows are wrong.
    """
    run = folder if isinstance(folder, LoadedRun) else load_run(folder)
    training = run.recipe.training
    with borrowed_cores(training.execution.threads):
        if on is not None:
            scored = score_labelled(run, on, progress=progress)
            judged = _judged(run, scored.where, scored.predictions, scored.unseen, written=scored.written)
            return replace(judged, members=_by_member(run, scored.members))
        loader = BatchLoader(run.dataset(prepared).split(split), batch_size=training.evaluation_batch_size)
        found = score_run(run, loader, progress=progress)
        predictions = found.predictions
        by_value = metrics_by_value(by, predictions, loader, run.encoder) if by else ()
        unseen = count_unseen(loader, run.encoder.manifest)
        judged = _judged(run, split, predictions, unseen, is_valid=split == "valid", is_train=split == "train")
        return replace(judged, by_value=by_value, members=_by_member(run, found.members))


def _by_member(run: LoadedRun, members: Sequence[Predictions]) -> dict[str, Metrics]:
    named = zip(run.members, members, strict=True)
    return {member.folder.name: predictions.metrics() for member, predictions in named}


def _judged(
    run: LoadedRun,
    where: str,
    predictions: Predictions,
    unseen: UnseenValues,
    *,
    written: Mapping[str, str] | None = None,
    is_valid: bool = False,
    is_train: bool = False,
) -> EvaluatedSplit:
    """Compute the metrics of predictions, and log what is likely wrong."""
    metrics = predictions.metrics()
    valid = None if is_valid else run.valid_reference()
    vocabularies = {} if is_train else run.encoder.vocabularies
    alarms = sound(
        [
            *score_facts(where, predictions, metrics),
            *unseen_facts(
                where,
                unseen,
                valid_shares=None if valid is None else valid.share_by_field,
                vocabularies=vocabularies,
                written=written,
            ),
        ]
    )
    log_alarms(alarms)
    return EvaluatedSplit(metrics, unseen.report(predictions), alarms, predictions.intervals())
