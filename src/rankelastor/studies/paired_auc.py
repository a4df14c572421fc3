"""The difference of two models' AUC on the same examples, with its standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float, Shaped
from numpy import ndarray
from scipy.stats import rankdata


@dataclass(frozen=True)
class AucDifference:
    """AUC of the first model minus that of the second, and the standard error over draws of the examples.

    The error says nothing of other training seeds.
    """

    value: float
    standard_error: float

    @property
    def is_noise(self) -> bool:
        """Whether the difference is below two standard errors."""
        return abs(self.value) < 2 * self.standard_error


def auc_difference(
    label: Shaped[ndarray, " example"], first: Float[ndarray, " example"], second: Float[ndarray, " example"]
) -> AucDifference:
    """Compute the difference of two AUCs on the same examples, and its standard error by DeLong's method.

    Args:
        label: 0 or 1, at least two examples of each.
        first: scores of the first model.
        second: scores of the second model.

    Example:
        >>> import numpy as np
        >>> label, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
        >>> auc_difference(label, scores, scores)
        AucDifference(value=0.0, standard_error=0.0)

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988); ranks as in Sun and Xu, IEEE SPL 21 (2014).
    """
    positive = label > 0
    of_positives, of_negatives = zip(*(_placements(positive, scores) for scores in (first, second)), strict=True)
    difference_p, difference_n = of_positives[0] - of_positives[1], of_negatives[0] - of_negatives[1]
    variance = difference_p.var(ddof=1) / len(difference_p) + difference_n.var(ddof=1) / len(difference_n)
    return AucDifference(float(difference_p.mean()), math.sqrt(float(variance)))


def _placements(
    positive: Shaped[ndarray, " example"], scores: Float[ndarray, " example"]
) -> tuple[Float[ndarray, " positive"], Float[ndarray, " negative"]]:
    """Compute for each positive the share of negatives below it, and for each negative that of positives above it."""
    ranks = rankdata(scores)
    num_positive, num_negative = int(positive.sum()), int((~positive).sum())
    below = (ranks[positive] - rankdata(scores[positive])) / num_negative
    above = 1 - (ranks[~positive] - rankdata(scores[~positive])) / num_positive
    return below, above
