"""Spectrum of a matrix too tall for memory: its Gram matrix is accumulated in float64, batch by batch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from rankelastor.spectrum.measures import MEASURES
from rankelastor.spectrum.recording.statistics import MatrixMeasures
from rankelastor.spectrum.singular_values import relative_singular_values_from_gram

ROUNDING_SHARE = 1e-12
"""Rows whose squared distance from their mean is under this share of their squared length count as equal."""


class RunningGram:
    """Accumulator of the Gram matrix ``X^T X`` and the mean row, for one matrix or several of equal width.

    Both are kept in float64 (8 * width^2 bytes per matrix), so the singular values are those of the whole sample, down
    to about 1e-7 of the largest.

    Args:
        num_matrices: Number of matrices, such as one per token.
        width: Number of columns of each matrix.
        device: Device of the accumulators.
    """

    def __init__(self, *, num_matrices: int, width: int, device: torch.device) -> None:
        self._num_rows = 0
        self._sum: Float64[Tensor, "matrix width"] = torch.zeros(
            num_matrices, width, dtype=torch.float64, device=device
        )
        self._gram: Float64[Tensor, "matrix width width"] = torch.zeros(
            num_matrices, width, width, dtype=torch.float64, device=device
        )

    def update(self, rows: Float[Tensor, "row matrix width"]) -> None:
        """Add the given rows to each matrix."""
        by_matrix = rows.double().transpose(0, 1)
        self._num_rows += len(rows)
        self._sum += by_matrix.sum(dim=1)
        self._gram += by_matrix.mT @ by_matrix

    def measures(self, names: tuple[str, ...], *, centred: bool, describe: str) -> tuple[MatrixMeasures, ...]:
        """Compute the named measures of each matrix.

        Args:
            names: Names of the measures.
            centred: Whether to subtract the mean row first.
            describe: Description of the matrices, with ``{index}`` if there are several.
        """
        gram = self._centred_gram() if centred else self._gram
        relative = relative_singular_values_from_gram(gram).cpu()
        tolerance = float((torch.finfo(torch.float64).eps * max(self._num_rows, relative.shape[-1])) ** 0.5)
        columns = {name: MEASURES[name].compute(relative, tolerance) for name in MEASURES if name in names}
        return tuple(
            MatrixMeasures(
                matrix=describe.format(index=index),
                num_rows=self._num_rows,
                num_columns=relative.shape[-1],
                measures={name: finite_or_none(column[index]) for name, column in columns.items()},
                singular_values=tuple(relative[index][: self._num_rows].nan_to_num(0).tolist()),
            )
            for index in range(len(relative))
        )

    def _centred_gram(self) -> Float64[Tensor, "matrix width width"]:
        outer_product = self._sum[:, :, None] * self._sum[:, None, :] / max(self._num_rows, 1)
        centred = self._gram - outer_product
        before, after = (gram.diagonal(dim1=-2, dim2=-1).sum(dim=-1) for gram in (self._gram, centred))
        # If all rows are equal, only the rounding error of the subtraction is left.
        return torch.where((after > ROUNDING_SHARE * before)[:, None, None], centred, 0.0)


def finite_or_none(value: Float[Tensor, ""]) -> float | None:
    """Convert to a float, or to None if the measure is undefined."""
    return float(value) if bool(value.isfinite()) else None
