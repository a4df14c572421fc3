"""Whether probabilities mean what they say."""

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray


def calibration_ratio(label: Shaped[ndarray, " example"], probability: Float[ndarray, " example"]) -> float:
    """Mean prediction over mean label: 1 is right on average, above 1 predicts too much; nan without a click.

    Example:
        >>> import numpy as np
        >>> calibration_ratio(np.array([1, 0]), np.array([0.5, 0.25]))
        0.75
    """
    clicks = float(np.sum(label, dtype=np.float64))
    return float(np.sum(probability, dtype=np.float64)) / clicks if clicks else float("nan")


def expected_calibration_error(
    label: Shaped[ndarray, " example"], probability: Float[ndarray, " example"], *, num_bins: int = 20
) -> float:
    """Mean over bins of |mean prediction - mean label|, weighted by examples; in 0..1.

    Bins hold equally many examples, in the order of the predictions (equal mass); fewer bins than examples
    asked for are used where there are fewer examples.

    Example:
        >>> import numpy as np
        >>> expected_calibration_error(np.array([0, 1, 1, 1]), np.array([0.0, 0.5, 1.0, 1.0]), num_bins=2)
        0.125

    Source: Nixon et al. 2019, arXiv 1904.01685 (adaptive calibration error).
    """
    order = np.argsort(probability, kind="stable")
    gap = probability[order].astype(np.float64) - label[order]
    edges = np.linspace(0, len(order), min(num_bins, len(order)) + 1).round().astype(np.int64)
    bin_sums = np.add.reduceat(gap, edges[:-1])
    return float(np.abs(bin_sums).sum() / len(order))
