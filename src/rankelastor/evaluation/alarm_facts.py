"""Gather the facts that alarms judge, from predictions and from counts of unseen values."""

from __future__ import annotations

from collections.abc import Mapping

from rankelastor.alarms.facts import ScoreFacts, UnseenFacts
from rankelastor.data.cells.texts import BLANK
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.evaluation.scoring import Predictions
from rankelastor.evaluation.unseen import UnseenValues
from rankelastor.metrics.report import Metrics
from rankelastor.metrics.weighted import weighted_mean


def score_facts(
    where: str,
    predictions: Predictions,
    metrics: Metrics,
    *,
    baseline: Metrics | None = None,
    baseline_metrics: Metrics | None = None,
) -> list[ScoreFacts]:
    """Gather the facts of labelled predictions, one per task.

    Args:
        where: name of the split or of the file.
        predictions: labels and probabilities.
        metrics: their metrics.
        baseline: metrics of logistic regression on some of these rows, if it was trained.
        baseline_metrics: metrics of the predictions on the same rows.
    """
    tasks = predictions.tasks
    return [
        ScoreFacts(
            where=where,
            task=task if len(tasks) > 1 else None,
            num_rows=len(predictions.label),
            lowest=float(predictions.probability[:, place].min()),
            highest=float(predictions.probability[:, place].max()),
            mean=weighted_mean(predictions.probability[:, place], predictions.metric_weight),
            label_rate=weighted_mean(predictions.label[:, place], predictions.metric_weight),
            metrics=metrics.by_task[task],
            baseline=None if baseline is None else baseline.by_task[task],
            baseline_metrics={} if baseline_metrics is None else baseline_metrics.by_task[task],
        )
        for place, task in enumerate(tasks)
    ]


def unseen_facts(
    where: str,
    unseen: UnseenValues,
    *,
    valid_shares: Mapping[str, float] | None,
    vocabularies: Mapping[str, Vocabulary],
    written: Mapping[str, str] | None = None,
) -> list[UnseenFacts]:
    """Gather the facts of the values that training has not seen, one per field.

    Args:
        where: name of the split or of the file.
        unseen: the counts.
        valid_shares: share of unseen values in valid by field; None if it is unknown.
        vocabularies: vocabulary of each field, which names a known value.
        written: an unseen value of each field as it is written, where it is known.
    """
    return [
        UnseenFacts(
            where=where,
            field=name,
            num_values=unseen.num_values[name],
            share=share,
            valid_share=None if valid_shares is None else valid_shares.get(name),
            unseen_value=(written or {}).get(name),
            known_value=_known_value(vocabularies.get(name)),
        )
        for name, share in unseen.share_by_field.items()
    ]


def _known_value(vocabulary: Vocabulary | None) -> str | None:
    """Find the most frequent value of train that is not blank."""
    values = [] if vocabulary is None else vocabulary.values.head(2).to_list()
    return next((str(value) for value in values if value != BLANK), None)
