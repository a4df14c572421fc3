"""Rules on predictions: nothing learned, no better than simple predictors, off on average."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rankelastor.alarms.alarm import Alarm
from rankelastor.alarms.facts import ScoreFacts

FEWEST_ROWS = 20
"""Fewest rows of which figures say anything."""
SAME = 1e-7
"""Probabilities that differ by less than this are equal."""
CALIBRATION = 1.25
"""The calibration ratio is far off above this, or below its inverse ..."""
CALIBRATION_ERRORS = 4.0
"""... if it lies this many standard errors from 1."""
MEAN_FACTOR = 2.0
FEWEST_ROWS_FOR_MEAN = 100
"""The mean prediction has moved if it differs from that of valid by this factor, in this many rows at least."""


def nothing_learned(facts: ScoreFacts) -> Iterator[Alarm]:
    """Report predictions that do not tell the rows apart."""
    if facts.num_rows < FEWEST_ROWS:
        return
    if facts.highest - facts.lowest < SAME:
        yield Alarm(
            "nothing_learned",
            facts.about,
            f"all {facts.num_rows:,} rows of {facts.name} have the same probability, {facts.mean:.6f}: the ranker "
            "tells nothing apart; try a larger training.learning_rate or smaller training.embedding_l2, and see if "
            "the fields hold a value that training knows (`rankelastor describe`)",
            loud=True,
        )
    elif facts.metrics.get("auc") == 0.5:  # noqa: PLR2004 - exactly what a random order has
        yield Alarm(
            "nothing_learned",
            facts.about,
            f"the AUC of {facts.name} is exactly 0.5: nothing was learned; try a larger training.learning_rate or more "
            "training.epochs, and look whether labels and fields belong to the same rows",
            loud=True,
        )


def worse_than_mean(facts: ScoreFacts) -> Iterator[Alarm]:
    """Report predictions with a worse likelihood than the mean label rate."""
    entropy = facts.metrics.get("normalized_entropy")
    if entropy is not None and entropy > 1:
        yield Alarm(
            "worse_than_mean",
            facts.about,
            f"the normalised entropy of {facts.name} is {entropy:.4f}, above 1: predicting the mean label rate "
            f"({facts.label_rate or 0:.4f}) for every row would be better; try training.calibration.kind=auto, "
            "training.monitor=logloss, a smaller training.learning_rate, a larger training.embedding_l2, a smaller "
            "model, or more rows",
        )


def no_better_than_linear(facts: ScoreFacts) -> Iterator[Alarm]:
    """Report a ranker that is no better than logistic regression, in AUC or in logloss."""
    linear, own = facts.baseline, facts.baseline_metrics
    if linear is None or not {"auc", "logloss"} <= own.keys() & linear.keys() or facts.num_rows < FEWEST_ROWS:
        return
    ranks_worse, fits_worse = own["auc"] <= linear["auc"], own["logloss"] >= linear["logloss"]
    if not (ranks_worse or fits_worse):
        return
    try_this = (
        "a smaller training.batch_size (more steps an epoch), more training.patience, a larger training.learning_rate, "
        "or more rows"
        if ranks_worse
        else "training.calibration.kind=auto, training.monitor=logloss, a larger training.embedding_l2 or fewer "
        "training.epochs, since it ranks better but is too sure of itself"
    )
    yield Alarm(
        "no_better_than_linear",
        facts.about,
        f"logistic regression on a sample of train is {'better' if ranks_worse and fits_worse else 'level or better'} "
        f"on {facts.name}: AUC {linear['auc']:.4f} against {own['auc']:.4f}, logloss {linear['logloss']:.4f} against "
        f"{own['logloss']:.4f}; try {try_this}",
    )


def calibration_off(facts: ScoreFacts) -> Iterator[Alarm]:
    """Report predictions whose mean is far from the mean label."""
    ratio, rate = facts.metrics.get("calibration_ratio"), facts.label_rate
    if ratio is None or not rate:
        return
    error = math.sqrt((1 - rate) / (rate * facts.num_rows))
    if 1 / CALIBRATION <= ratio <= CALIBRATION or abs(ratio - 1) < CALIBRATION_ERRORS * error:
        return
    yield Alarm(
        "calibration_off",
        facts.about,
        f"the mean prediction of {facts.name} is {ratio:.2f} times its label rate ({facts.mean:.4f} against "
        f"{rate:.4f}); if negatives were thinned, say so in data.negatives_kept; otherwise compare the label rates "
        "of the splits (`rankelastor describe`), or try training.calibration.kind=auto or training.monitor=logloss",
    )


def mean_moves(facts: ScoreFacts) -> Iterator[Alarm]:
    """Report rows without labels whose mean prediction differs from that of valid."""
    if facts.valid_mean is None or facts.label_rate is not None or facts.num_rows < FEWEST_ROWS_FOR_MEAN:
        return
    if 1 / MEAN_FACTOR <= facts.mean / facts.valid_mean <= MEAN_FACTOR:
        return
    yield Alarm(
        "mean_moves",
        facts.about,
        f"the mean prediction of {facts.name} is {facts.mean:.4f}, that of valid was {facts.valid_mean:.4f}: are these "
        "rows of another kind, or is a column filled differently?",
    )
