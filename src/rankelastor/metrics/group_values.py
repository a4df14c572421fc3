"""The values of a metric group by group, of which the metric is the weighted mean."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray


class GroupValues(NamedTuple):
    """The value of each group that has one, and its weight in the mean.

    Attributes:
        values: in 0..1.
        weights: above 0.
    """

    values: Float[ndarray, " group"]
    weights: Float[ndarray, " group"]

    def mean(self) -> float:
        """Compute the weighted mean; nan without groups.

        Example:
            >>> GroupValues(np.array([0.5, 1.0]), np.array([3.0, 1.0])).mean()
            0.625
        """
        return float(np.average(self.values, weights=self.weights)) if len(self.values) else float("nan")


NO_GROUPS = GroupValues(np.empty(0), np.empty(0))
