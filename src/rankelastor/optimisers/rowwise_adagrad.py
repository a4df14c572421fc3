"""Adagrad with one sum of squares for each row of an embedding table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rankelastor.optimisers.copying import copy_exactly
from rankelastor.optimisers.lazy_rows.lazy import TouchedRows
from rankelastor.schema import PADDING_ID


class RowwiseAdagrad:
    """w_r <- w_r - rate * g_r / (sqrt(G_r) + eps), where G_r sums the mean square of g_r over the steps so far.

    A row that a batch does not look up has no gradient and stays as it is, so that a step costs what its batch costs,
    and there is one number per row beside the weights, where Adam has two per weight. The penalty of a row counts in
    the steps that look it up.

    Args:
        table: (row, dim), changed in place; row 0 is padding and is not changed.
        l2: lambda of the penalty (lambda / 2) * sum of squares of the rows that a batch looks up.
        epsilon: added to the root of the sums.

    Example:
        >>> table = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
        >>> rule = RowwiseAdagrad(table)
        >>> touched = rule.touch(torch.tensor([1, 1]), learning_rate=0.1)
        >>> gradient, _ = rule.gradient(touched, torch.tensor([[2.0, 1.0], [1.0, -1.0]]))
        >>> rule.step(touched, gradient, learning_rate=0.1)
        >>> table[1]  # the gradient is (3, 0), its mean square 4.5
        tensor([0.8586, 1.0000])

    Source: the row-wise Adagrad of FBGEMM and TorchRec; arXiv 2206.05654 uses it for recommendation models.
    """

    def __init__(self, table: Float[Tensor, "row dim"], *, l2: float = 0.0, epsilon: float = 1e-8) -> None:
        self._table = table.detach()
        self._l2 = l2
        self._epsilon = epsilon
        self._sums = torch.zeros(len(table), dtype=table.dtype, device=table.device)

    def touch(self, rows: Int64[Tensor, " lookup"], *, learning_rate: float) -> TouchedRows:  # noqa: ARG002 - as lazy rows
        """Find each row that a batch looks up once."""
        return TouchedRows(*torch.unique(rows, return_inverse=True))

    def gradient(
        self, touched: TouchedRows, lookup_gradients: Float[Tensor, "lookup dim"]
    ) -> tuple[Float[Tensor, "row dim"], Tensor]:
        """Compute the gradient of the touched rows with L2, and its squared norm."""
        gradient = lookup_gradients.new_zeros(len(touched.rows), lookup_gradients.shape[1])
        gradient.index_add_(0, touched.position, lookup_gradients)
        gradient.add_(self._table[touched.rows], alpha=self._l2)
        gradient[touched.rows == PADDING_ID] = 0
        return gradient, torch.linalg.vector_norm(gradient).double().square()

    @torch.no_grad()
    def step(
        self,
        touched: TouchedRows,
        gradient: Float[Tensor, "row dim"],
        *,
        learning_rate: float,
        scale: Tensor | float = 1.0,  # noqa: ARG002 - the gradient is clipped already
    ) -> None:
        """Take one step for the touched rows, with their gradient after clipping."""
        rows = touched.rows
        sums = self._sums[rows] + gradient.square().mean(1)
        self._sums[rows] = sums
        self._table[rows] -= learning_rate * gradient / (sums.sqrt() + self._epsilon).unsqueeze(1)

    @torch.no_grad()
    def penalise(self, gradient: Float[Tensor, "row dim"]) -> None:
        """Add the penalty to the dense gradient of the table, for the rows that have one."""
        touched = gradient.ne(0).any(1, keepdim=True)
        gradient.addcmul_(self._table, touched.to(gradient.dtype), value=self._l2)

    @torch.no_grad()
    def step_densely(self, gradient: Float[Tensor, "row dim"], *, learning_rate: float) -> None:
        """Take one step with the dense gradient of the table, without a look at which rows it reaches."""
        self._sums += gradient.square().mean(1)
        self._table -= learning_rate * gradient / (self._sums.sqrt() + self._epsilon).unsqueeze(1)

    def complete(self, *, learning_rate: float, run_all: Callable[..., Iterable[Tensor]] = map) -> None:
        """Do nothing: no row is ever behind."""

    def state(self) -> dict[str, Tensor]:
        """Return the sums of squares; not copied."""
        return {"sums": self._sums}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what ``state`` gave.

        Raises:
            ValueError: it belongs to another table.
        """
        copy_exactly(self._sums, state.get("sums"), name="sums of squares")
