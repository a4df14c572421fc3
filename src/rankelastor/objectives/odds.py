"""Odds that training changes, and the correction of logits that restores them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Odds:
    """What makes the odds of a label in training differ from those in the world.

    If a share r of the negative rows is kept, the odds of a positive row are 1 / r times what they were; so ln r is
    added to each logit. A weight c of positive rows makes them c times as large; so ln c is subtracted.

    Attributes:
        kept_before: share of the negatives that the files hold, ``data.negatives_kept``.
        kept_in_training: share of those that training learns from, ``training.negatives_kept``.
        positive_weight: factor of the loss of positive rows, ``training.positive_weight``.

    Example:
        >>> odds = Odds(kept_before=0.5, kept_in_training=0.2)
        >>> round(odds.logit_shift, 6), odds.negative_weight  # ln 0.1
        (-2.302585, 2.0)
        >>> Odds(positive_weight=4.0, kept_in_training=0.25).logit_shift == -math.log(16)
        True

    Source: He et al. 2014, Practical lessons from predicting clicks on ads at Facebook, section 6.3.
    """

    kept_before: float = 1.0
    kept_in_training: float = 1.0
    positive_weight: float = 1.0

    @property
    def logit_shift(self) -> float:
        """What is added to each logit of evaluation and prediction."""
        return math.log(self.kept_before) - self.training_shift

    @property
    def training_shift(self) -> float:
        """What training adds to the logit that the rows of the files have."""
        return math.log(self.positive_weight / self.kept_in_training)

    @property
    def negative_weight(self) -> float:
        """How many rows each negative row of the files stands for in metrics."""
        return 1 / self.kept_before

    def training_logit(self, *, positive: float, negative: float) -> float:
        """Compute the logit of the label rate that training sees, from the mass of either label in the train split.

        Half a row is added to both, so that the logit is finite.

        Example:
            >>> Odds().training_logit(positive=9.5, negative=39.5) == math.log(10 / 40)
            True
            >>> Odds(kept_in_training=0.5).training_logit(positive=9.5, negative=39.5) == math.log(10 / 20)
            True
        """
        return math.log(self.positive_weight * (positive + 0.5) / (self.kept_in_training * (negative + 0.5)))


UNCHANGED = Odds()
"""Training sees the odds of the world."""
