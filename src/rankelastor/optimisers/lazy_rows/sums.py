"""Gradients of lookups, added up by row of the table."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.sparse import csc_array
from torch import Tensor

from rankelastor.schema import PADDING_ID


def sum_by_row(
    rows: Int64[Tensor, " lookup"], lookup_gradients: Float[Tensor, "lookup dim"], num_rows: int
) -> Float[Tensor, "row dim"]:
    """Sum the gradients of look-ups by row of a table with ``num_rows`` rows, on the CPU; the padding row gets zero.

    A product with the sparse matrix (row, lookup) of ones: the sums of PyTorch's ``embedding_dense_backward``, made in
    the same order, at about a tenth of the time on one core.

    Example:
        >>> sum_by_row(torch.tensor([2, 0, 2]), torch.tensor([[1.0], [5.0], [3.0]]), 4).flatten().tolist()
        [0.0, 0.0, 4.0, 0.0]
    """
    values = lookup_gradients.numpy()
    column_starts = np.arange(len(values) + 1, dtype=np.int32)
    ones = np.ones(len(values), dtype=values.dtype)
    lookups = csc_array((ones, rows.numpy().astype(np.int32), column_starts), shape=(num_rows, len(values)))
    sums = torch.from_numpy(lookups @ values)
    sums[PADDING_ID] = 0
    return sums
