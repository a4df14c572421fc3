"""Sum gradients of look-ups by row of the table."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rankelastor.schema import PADDING_ID

_FEW = 1_000
"""Look-ups up to which PyTorch's own sums take no longer, and SciPy need not be imported."""


def sum_by_row(
    rows: Int64[Tensor, " lookup"], lookup_gradients: Float[Tensor, "lookup dim"], num_rows: int
) -> Float[Tensor, "row dim"]:
    """Sum the gradients of look-ups by row of a table with ``num_rows`` rows, on the CPU; the padding row gets zero.

    Beyond a thousand look-ups it is a product with the sparse (row, lookup) matrix of ones, with the sums of PyTorch's
    ``embedding_dense_backward`` in the same order, in about a fifth of its time on one core.

    Example:
        >>> sum_by_row(torch.tensor([2, 0, 2]), torch.tensor([[1.0], [5.0], [3.0]]), 4).flatten().tolist()
        [0.0, 0.0, 4.0, 0.0]
    """
    if len(lookup_gradients) <= _FEW:
        few: Tensor = torch.ops.aten.embedding_dense_backward(lookup_gradients, rows, num_rows, PADDING_ID, False)  # noqa: FBT003
        return few
    from scipy.sparse import csc_array  # noqa: PLC0415 - takes .3 s, which is much where batches are small

    values = lookup_gradients.numpy()
    column_starts = np.arange(len(values) + 1, dtype=np.int32)
    ones = np.ones(len(values), dtype=values.dtype)
    lookups = csc_array((ones, rows.numpy().astype(np.int32), column_starts), shape=(num_rows, len(values)))
    sums = torch.from_numpy(lookups @ values)
    sums[PADDING_ID] = 0
    return sums
