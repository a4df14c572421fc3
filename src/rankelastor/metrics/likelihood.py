"""How well probabilities fit: logloss and normalised entropy."""

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

PROBABILITY_CLIP = 1e-7


def logloss(label: Shaped[ndarray, " example"], probability: Float[ndarray, " example"]) -> float:
    """Mean binary cross-entropy in nats, probabilities clipped to 1e-7 .. 1 - 1e-7.

    Example:
        >>> import numpy as np
        >>> round(logloss(np.array([1, 0]), np.array([0.5, 0.5])), 6)
        0.693147
    """
    clipped = np.clip(probability.astype(np.float64), PROBABILITY_CLIP, 1 - PROBABILITY_CLIP)
    return float(-np.mean(np.where(label > 0, np.log(clipped), np.log1p(-clipped))))


def normalized_entropy(label: Shaped[ndarray, " example"], probability: Float[ndarray, " example"]) -> float:
    """Logloss over the entropy of the base rate: 1 is as good as always predicting the mean; nan for one label.

    Example:
        >>> import numpy as np
        >>> normalized_entropy(np.array([1, 0, 0, 0]), np.full(4, 0.25))
        1.0

    Source: He et al. 2014, Practical lessons from predicting clicks on ads at Facebook.
    """
    rate = float(np.mean(label))
    if rate in (0.0, 1.0):
        return float("nan")
    return logloss(label, probability) / logloss(label, np.full(len(label), rate))
