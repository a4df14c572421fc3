"""Logistic regression with a penalty: by L-BFGS, or by Newton's method where the matrix is a plain, small one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from rankelastor.baseline.design import Matrix
from rankelastor.logistic import expit, logit

_STEPS = 60
_KEPT = 5
_SMALLEST_STEP = 1e-9
_LEAST_CURVATURE = 1e-9
"""Of the bias, which has no penalty: where all rows are predicted with certainty, its curvature vanishes."""


@dataclass(frozen=True)
class LogisticRegression:
    """A linear map to one logit: ``weights`` (column,) and ``bias``."""

    weights: Float64[ndarray, " column"]
    bias: float

    @classmethod
    def fit(
        cls,
        matrix: Matrix,
        label: Float64[ndarray, " row"],
        *,
        weight: Float64[ndarray, " row"],
        penalty: float = 1.0,
    ) -> LogisticRegression:
        """Minimise the summed, weighted cross-entropy + (penalty / 2) * sum of squares of the weights.

        It starts at the label rate and takes 60 steps at most: of L-BFGS, which need not reach the minimum, or of
        Newton's method for a plain matrix.

        Args:
            matrix: float64 (row, column).
            label: 0 or 1, both with a weight above 0.
            weight: weight of each row.
            penalty: 1 is the inverse of ``C`` in scikit-learn's ``LogisticRegression``.

        Example:
            >>> matrix = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
            >>> fitted = LogisticRegression.fit(matrix, np.array([1.0, 1.0, 0.0, 0.0]), weight=np.ones(4))
            >>> fitted.probability(matrix).round(1).tolist()
            [0.7, 0.7, 0.3, 0.3]
        """
        start = np.append(np.zeros(matrix.shape[1]), logit(np.full(1, weight @ label / weight.sum())))
        find = _by_newton if isinstance(matrix, ndarray) else _by_lbfgs
        found = find(start, _Loss(matrix, label, weight, penalty))
        return cls(found[:-1], float(found[-1]))

    def probability(self, matrix: Matrix) -> Float64[ndarray, " row"]:
        """Compute the probability of each row of a matrix."""
        scores: Float64[ndarray, " row"] = expit(matrix @ self.weights + self.bias)
        return scores


class _Loss:
    """What is minimised, as a function of the weights and, behind them, the bias."""

    def __init__(
        self,
        matrix: Matrix,
        label: Float64[ndarray, " row"],
        weight: Float64[ndarray, " row"],
        penalty: float,
    ) -> None:
        self.matrix, self._label, self.weight, self.penalty = matrix, label, weight, penalty
        self._transposed = matrix.T if isinstance(matrix, ndarray) else matrix.T.tocsr()
        self.total = float(weight.sum())

    def logits(self, point: Float64[ndarray, " parameter"]) -> Float64[ndarray, " row"]:
        """Compute the logit of each row."""
        logits: Float64[ndarray, " row"] = self.matrix @ point[:-1] + point[-1]
        return logits

    def value(self, point: Float64[ndarray, " parameter"], logits: Float64[ndarray, " row"]) -> float:
        """Compute the loss at a point with these logits."""
        penalty = self.penalty / 2 * (point[:-1] @ point[:-1])
        return float(self.weight @ (np.logaddexp(0, logits) - self._label * logits) + penalty)

    def gradient(
        self, point: Float64[ndarray, " parameter"], probability: Float64[ndarray, " row"]
    ) -> Float64[ndarray, " parameter"]:
        """Compute the gradient at a point with these probabilities."""
        error = self.weight * (probability - self._label)
        return np.append(self._transposed @ error + self.penalty * point[:-1], error.sum())


def _by_lbfgs(start: Float64[ndarray, " parameter"], loss: _Loss) -> Float64[ndarray, " parameter"]:
    """Minimise with products of the matrix alone, for as many columns as there are."""
    from scipy.optimize import minimize  # noqa: PLC0415 - takes half a second, which is much where rows are few

    def loss_and_gradient(point: Float64[ndarray, " parameter"]) -> tuple[float, Float64[ndarray, " parameter"]]:
        logits = loss.logits(point)
        return loss.value(point, logits) / loss.total, loss.gradient(point, expit(logits)) / loss.total

    options = {"maxiter": _STEPS, "maxcor": _KEPT}
    found: Float64[ndarray, " parameter"] = minimize(
        loss_and_gradient, start, jac=True, method="L-BFGS-B", options=options
    ).x
    return found


def _by_newton(start: Float64[ndarray, " parameter"], loss: _Loss) -> Float64[ndarray, " parameter"]:
    """Minimise with the curvature of all pairs of columns, each step halved until the loss falls."""
    columns = np.append(np.asarray(loss.matrix), np.ones((len(loss.weight), 1)), axis=1)
    penalties = np.diag(np.append(np.full(len(start) - 1, loss.penalty), _LEAST_CURVATURE))
    point, logits = start, loss.logits(start)
    value = loss.value(point, logits)
    for _ in range(_STEPS):
        probability = expit(logits)
        curvature = (columns * (loss.weight * probability * (1 - probability))[:, None]).T @ columns + penalties
        step = np.linalg.solve(curvature, loss.gradient(point, probability))
        while np.abs(step).max() > _SMALLEST_STEP:
            tried = point - step
            logits = loss.logits(tried)
            if (found := loss.value(tried, logits)) <= value:
                break
            step /= 2
        else:
            return point
        point, value = tried, found
    return point
