"""Logistic regression with a penalty, by L-BFGS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit, logit

_STEPS = 60
_KEPT = 5


@dataclass(frozen=True)
class LogisticRegression:
    """A linear map to one logit: ``weights`` (column,) and ``bias``."""

    weights: Float64[ndarray, " column"]
    bias: float

    @classmethod
    def fit(
        cls,
        matrix: csr_array,
        label: Float64[ndarray, " row"],
        *,
        weight: Float64[ndarray, " row"],
        penalty: float = 1.0,
    ) -> LogisticRegression:
        """Minimise the summed, weighted cross-entropy + (penalty / 2) * sum of squares of the weights.

        It starts at the label rate and takes 60 steps of L-BFGS at most, which need not be the minimum.

        Args:
            matrix: float64 (row, column).
            label: 0 or 1, both with a weight above 0.
            weight: weight of each row.
            penalty: 1 is the inverse of ``C`` in scikit-learn's ``LogisticRegression``.

        Example:
            >>> matrix = csr_array(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
            >>> fitted = LogisticRegression.fit(matrix, np.array([1.0, 1.0, 0.0, 0.0]), weight=np.ones(4))
            >>> fitted.probability(matrix).round(1).tolist()
            [0.7, 0.7, 0.3, 0.3]
        """
        total = float(weight.sum())
        transposed = matrix.T.tocsr()

        def loss_and_gradient(point: Float64[ndarray, " parameter"]) -> tuple[float, Float64[ndarray, " parameter"]]:
            logits = matrix @ point[:-1] + point[-1]
            loss = weight @ (np.logaddexp(0, logits) - label * logits) + penalty / 2 * (point[:-1] @ point[:-1])
            error = weight * (expit(logits) - label)
            gradient = np.append(transposed @ error + penalty * point[:-1], error.sum())
            return float(loss) / total, gradient / total

        start = np.append(np.zeros(matrix.shape[1]), logit(float(weight @ label) / total))
        found = minimize(
            loss_and_gradient, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS, "maxcor": _KEPT}
        )
        return cls(found.x[:-1], float(found.x[-1]))

    def probability(self, matrix: csr_array) -> Float64[ndarray, " row"]:
        """Compute the probability of each row of a matrix."""
        scores: Float64[ndarray, " row"] = expit(matrix @ self.weights + self.bias)
        return scores
