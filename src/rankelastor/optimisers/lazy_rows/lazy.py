"""Adam on the rows of an embedding table at the cost of the batch: a row is caught up when it is next touched.

Dense Adam changes every row at every step: by the tail of its moments, and by the L2 penalty, whose gradient
lambda * w passes through Adam too. Here a row that the batch does not touch is left alone, and the steps it missed are
made up for just before it is read again, and for all rows before an evaluation.

What is exact: a touched row's step; missed steps up to ``EXACT_STEPS`` in a row, one by one, as dense Adam makes them;
moments without a penalty over gaps of any length. What is not: longer gaps are made up for in ever longer strides in
which the penalty's gradient and the second moment count as constant (over gaps of 100 to 1,000 steps a weight was off
by at most 4 % of the way it went, at learning rates 1e-3 and 1e-2, lambda from 0 to 1e-2; over 3,000 by 8 %); and the
norm that clipping looks at counts the penalty of rows that wait with the weights they were last written with.
tests/optimisers/lazy_rows/test_lazy.py holds all of it against dense Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor

from rankelastor.native.calling import kernels_take
from rankelastor.native.library import kernels
from rankelastor.optimisers.lazy_rows.kernels import RowKernels
from rankelastor.optimisers.lazy_rows.operations import (
    EXACT_STEPS,
    RowArithmetic,
    RowOperations,
    RowState,
    sum_of_squares,
)

__all__ = ["EXACT_STEPS", "LazyRows", "Touched"]

_CHUNK_ROWS = 8_192


@dataclass(frozen=True)
class Touched:
    """The rows that a batch looks up, once each, caught up; ``position`` leads from each look-up to its row here."""

    rows: Int64[Tensor, " row"]
    position: Int64[Tensor, " lookup"]


class LazyRows:
    """Adam with moments for each row of a table, and the step up to which each row is complete.

    Args:
        table: (row, dim), changed in place; row 0 is padding and stays as it is.
        betas: of Adam.
        epsilon: of Adam.
        l2: lambda of the penalty (lambda / 2) * sum of squares of the table.
    """

    def __init__(
        self, table: Float[Tensor, "row dim"], *, betas: tuple[float, float], epsilon: float = 1e-8, l2: float = 0.0
    ) -> None:
        self._state = RowState(table.detach(), betas=betas, epsilon=epsilon, l2=l2)
        kind = RowKernels if kernels_take(table) and kernels() is not None else RowOperations
        self._arithmetic: RowArithmetic = kind(self._state)
        self._sum_of_squares = sum_of_squares(table.detach())

    def touch(self, rows: Int64[Tensor, " lookup"], *, learning_rate: float) -> Touched:
        """Bring the rows that a batch looks up to the present, before they are read."""
        touched = Touched(*self._arithmetic.find(rows))
        change = self._arithmetic.catch_up(touched.rows, learning_rate)
        self._sum_of_squares = self._sum_of_squares + change
        return touched

    def gradient(
        self, touched: Touched, lookup_gradients: Float[Tensor, "lookup dim"]
    ) -> tuple[Float[Tensor, "row dim"], Tensor]:
        """Compute the gradient of the touched rows with L2, and the squared gradient norm of the whole table."""
        gradient, squares, weights_squared = self._arithmetic.gradient(touched.rows, touched.position, lookup_gradients)
        others_squared = (self._sum_of_squares - weights_squared).clamp_min(0)
        return gradient, squares + self._state.l2**2 * others_squared

    def step(
        self,
        touched: Touched,
        gradient: Float[Tensor, "row dim"],
        *,
        learning_rate: float,
        scale: Tensor | float = 1.0,
    ) -> None:
        """Take one step of Adam for the touched rows, with their gradient after clipping.

        ``scale`` is the clipping factor; the penalty of the rows that wait gets the same one.
        """
        self._state.begin_step(scale)
        change = self._arithmetic.step(touched.rows, gradient, learning_rate)
        self._sum_of_squares = self._sum_of_squares + change

    def complete(self, *, learning_rate: float, run_all: Callable[..., Iterable[Tensor]] = map) -> None:
        """Bring every row to the present: before an evaluation, and before the learning rate changes.

        ``run_all`` maps a function over chunks of rows, possibly in threads.
        """
        behind = (self._state.complete < self._state.step).nonzero().flatten()
        changes = run_all(lambda chunk: self._arithmetic.catch_up(chunk, learning_rate), behind.split(_CHUNK_ROWS))
        self._sum_of_squares = sum(changes, self._sum_of_squares)
