"""Row-wise Adagrad as column-wise plans have it: one sum of squares for each part of a row."""

from __future__ import annotations

import torch
from torch import Tensor

from rankelastor.optimisers.lazy_rows.lazy import TouchedRows
from rankelastor.optimisers.rowwise_adagrad import RowwiseAdagrad


class AdagradByParts(RowwiseAdagrad):
    """The twin of a column-wise plan.

    Args:
        table: (row, dim), changed in place.
        parts: number of equal parts of a row.
        whole: (row,), which rows have one sum nevertheless.
        l2: as of row-wise Adagrad.
    """

    def __init__(self, table: Tensor, *, parts: int, whole: Tensor, l2: float) -> None:
        super().__init__(table, l2=l2)
        self._parts, self._whole = parts, whole
        self._sums = torch.zeros(len(table), parts, dtype=table.dtype)

    def step(
        self,
        touched: TouchedRows,
        gradient: Tensor,
        *,
        learning_rate: float,
        scale: Tensor | float = 1.0,  # noqa: ARG002 - as of row-wise Adagrad
    ) -> None:
        rows = touched.rows
        means = gradient.detach().unflatten(1, (self._parts, -1)).square().mean(2)
        means = torch.where(self._whole[rows, None], means.mean(1, keepdim=True), means)
        self._sums[rows] += means
        roots = self._sums[rows].sqrt().repeat_interleave(gradient.shape[1] // self._parts, 1)
        self._table[rows] -= learning_rate * gradient / (roots + self._epsilon)
