"""Evaluate the best weights of a run on a split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rankelastor.alarms.alarm import Alarm, log_alarms
from rankelastor.alarms.table import sound
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.evaluation.alarm_facts import score_facts, unseen_facts
from rankelastor.evaluation.by_value import ValueMetrics, metrics_by_value
from rankelastor.evaluation.scoring import score_split
from rankelastor.evaluation.unseen import count_unseen
from rankelastor.execution.cores import borrowed_cores
from rankelastor.metrics.intervals import Interval
from rankelastor.metrics.report import Metrics
from rankelastor.progress import ProgressListener
from rankelastor.runs.load import load_run
from rankelastor.runs.result import UnseenFigures
from rankelastor.schema import SplitName


def evaluate(folder: str | Path, *, split: SplitName = "test", progress: ProgressListener | None = None) -> Metrics:
    """Compute the metrics of a run's best weights on a split of the prepared data that it was trained on.

    Raises:
        RunError: the run folder cannot be used.
        StalePreparedError: the prepared folder has changed since the training.
        DataError: the prepared folder or the split is missing.
    """
    return evaluate_with_unseen(folder, split=split, progress=progress).metrics


@dataclass(frozen=True)
class EvaluatedSplit:
    """Metrics of a split, figures on its values that training has not seen, and what is likely wrong.

    ``intervals`` are those of 95 % by task and metric; ``by_value`` are metrics for each value of a field, worst first.
    """

    metrics: Metrics
    unseen: UnseenFigures
    alarms: tuple[Alarm, ...] = ()
    intervals: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    by_value: tuple[ValueMetrics, ...] = ()

    def __repr__(self) -> str:
        return f"EvaluatedSplit({self.metrics}, {self.unseen.share_of_examples:.2%} of the rows with unseen values)"


def evaluate_with_unseen(
    folder: str | Path,
    *,
    split: SplitName = "test",
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
        DataError: the prepared folder or the split is missing.
    """
    run = load_run(folder)
    training = run.recipe.training
    with borrowed_cores(training.execution.threads):
        loader = BatchLoader(run.dataset().split(split), batch_size=training.evaluation_batch_size)
        tasks = run.encoder.schema.tasks
        predictions = score_split(
            run.ranker, loader, training.execution, tasks=tasks, odds=run.recipe.odds, progress=progress
        )
        by_value = metrics_by_value(by, predictions, loader, run.encoder) if by else ()
        unseen, metrics = count_unseen(loader, run.encoder.manifest), predictions.metrics()
    valid = None if split == "valid" else run.valid_reference()
    vocabularies = {} if split == "train" else run.encoder.vocabularies
    alarms = sound(
        [
            *score_facts(split, predictions, metrics),
            *unseen_facts(split, unseen, valid_shares=valid and valid.share_by_field, vocabularies=vocabularies),
        ]
    )
    log_alarms(alarms)
    return EvaluatedSplit(metrics, unseen.report(predictions), alarms, predictions.intervals(), by_value)
