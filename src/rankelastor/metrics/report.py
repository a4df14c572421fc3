"""All metrics of one set of predictions."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from rankelastor.metrics.calibration import calibration_ratio, expected_calibration_error
from rankelastor.metrics.likelihood import logloss, normalized_entropy
from rankelastor.metrics.ranking import auc, grouped_auc

DECIMALS = 6


@dataclass(frozen=True)
class Metrics:
    """Metrics of a split; ``gauc`` is None where the data have no group column."""

    auc: float
    logloss: float
    gauc: float | None
    normalized_entropy: float
    calibration_ratio: float
    expected_calibration_error: float
    num_examples: int

    def as_dict(self) -> dict[str, float | int]:
        """The metrics by name to six decimals; those that are missing or not defined are left out."""
        present = {name: value for name, value in asdict(self).items() if value is not None and not math.isnan(value)}
        return {name: round(value, DECIMALS) for name, value in present.items()}


def evaluate_predictions(
    label: Shaped[ndarray, " example"],
    probability: Float[ndarray, " example"],
    group: Int[ndarray, " example"] | None = None,
) -> Metrics:
    """All metrics of probabilities against labels.

    Args:
        label: 0 or 1.
        probability: predictions in 0..1.
        group: the key of gAUC (a user, say), or None.

    Example:
        >>> import numpy as np
        >>> evaluate_predictions(np.array([0, 1]), np.array([0.25, 0.75])).as_dict()["auc"]
        1.0
    """
    return Metrics(
        auc=auc(label, probability),
        logloss=logloss(label, probability),
        gauc=None if group is None else grouped_auc(label, probability, group),
        normalized_entropy=normalized_entropy(label, probability),
        calibration_ratio=calibration_ratio(label, probability),
        expected_calibration_error=expected_calibration_error(label, probability),
        num_examples=len(np.asarray(label)),
    )
