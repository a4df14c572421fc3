"""Compare a ranker with logistic regression on the same rows of valid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rankelastor.baseline.linear import linear_baseline
from rankelastor.data.prepared import PreparedDataset
from rankelastor.evaluation.scoring import Predictions
from rankelastor.metrics.report import Metrics
from rankelastor.runs.result import BaselineFigures

COMPARED_METRICS = ("auc", "logloss", "normalized_entropy")


@dataclass(frozen=True)
class Comparison:
    """Metrics of logistic regression and of the ranker on the same rows."""

    num_train_rows: int
    num_valid_rows: int
    baseline: Metrics
    ranker: Metrics

    def figures(self) -> BaselineFigures:
        """Convert to the figures of ``result.json``."""
        return BaselineFigures(self.num_train_rows, self.num_valid_rows, self.baseline.as_dict(), self.ranker.as_dict())


def compare_with_baseline(dataset: PreparedDataset, valid: Predictions) -> Comparison | None:
    """Train logistic regression on a sample of train, and measure it and the ranker on the same sample of valid.

    None if the sample of train holds only one label of a task.

    Args:
        dataset: the prepared data.
        valid: predictions of the ranker for all rows of valid, in order.
    """
    baseline = linear_baseline(dataset)
    if baseline is None:
        return None
    chosen = np.zeros(len(valid.label), dtype=np.bool_)
    chosen[baseline.rows] = True
    ranker = valid.where(chosen)
    # The baseline is trained on the negatives of the files as they are, so that only these are missing in its odds.
    odds = replace(valid.odds, kept_in_training=1.0, positive_weight=1.0)
    uncorrected = replace(ranker, odds=replace(odds, kept_before=1.0), probability=baseline.probability)
    return Comparison(
        num_train_rows=baseline.num_train_rows,
        num_valid_rows=len(baseline.rows),
        baseline=uncorrected.corrected(odds).metrics(COMPARED_METRICS),
        ranker=ranker.metrics(COMPARED_METRICS),
    )
