"""The measures of matrices without structure, with which a rank can be compared."""

from __future__ import annotations

from functools import lru_cache

import torch

from rankelastor.spectrum.measures import all_measures, find_measure

MAX_NUM_MATRICES = 64
MAX_NUM_ENTRIES = 2_000_000
"""Fewer large matrices are drawn: their measures hardly vary."""


def gaussian_reference(num_rows: int, num_columns: int, *, measure: str) -> float:
    """Compute the mean of the measure over Gaussian random matrices of the given size, drawn with a fixed seed.

    Even without any structure some measures are far below the largest possible rank: a Gaussian 26 x 30 matrix has a
    stable rank near 7.5, not 26.

    Example:
        >>> 7 < gaussian_reference(26, 30, measure="stable_rank") < 8
        True
    """
    return _references(num_rows, num_columns)[find_measure(measure).name]


@lru_cache(maxsize=64)
def _references(num_rows: int, num_columns: int) -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    num_matrices = max(1, min(MAX_NUM_MATRICES, MAX_NUM_ENTRIES // (num_rows * num_columns)))
    matrices = torch.randn(num_matrices, num_rows, num_columns, generator=generator)
    return {str(name): float(values.mean()) for name, values in all_measures(matrices, method="gram").items()}
