"""Adam on the rows of an embedding table at a cost proportional to the batch: rows are updated when they are next used.

Dense Adam changes every row at every step: by the decaying moments, and by the L2 penalty, whose gradient lambda * w
also passes through Adam. Here a row that the batch does not look up is not changed; the steps that it missed are caught
up just before it is read again, and for all rows before an evaluation.

These parts are exact: the step of a row that the batch looks up; up to ``EXACT_STEPS`` consecutive missed steps, which
are taken one by one; moments without a penalty over gaps of any length. These are approximations: longer gaps are
caught up in strides of growing length, within which the gradient of the penalty and the second moment are taken as
constant (over gaps of 100 to 1,000 steps the error of a weight was at most 4 % of its change, at learning rates 1e-3
and 1e-2 and lambda from 0 to 1e-2; over 3,000 steps 8 %); and the norm for clipping includes the penalty of rows that
are behind with their last written weights. tests/optimisers/lazy_rows/test_lazy.py compares all of this with dense
Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rankelastor.native.calling import kernels_take
from rankelastor.native.library import kernels
from rankelastor.optimisers.copying import copy_exactly
from rankelastor.optimisers.lazy_rows.kernels import RowKernels
from rankelastor.optimisers.lazy_rows.operations import (
    EXACT_STEPS,
    RowArithmetic,
    RowOperations,
    RowState,
    sum_of_squares,
)

__all__ = ["EXACT_STEPS", "LazyRows", "TouchedRows"]

_CHUNK_ROWS = 8_192
UNBIASED_STEPS = 1 << 16
"""Steps after which 1 - beta**steps is 1 in float64, for betas up to .9994."""


@dataclass(frozen=True)
class TouchedRows:
    """The rows that a batch looks up, once each and up to date; ``position`` is the index of each look-up in them."""

    rows: Int64[Tensor, " row"]
    position: Int64[Tensor, " lookup"]


class LazyRows:
    """Adam with moments for each row of a table, and the step up to which each row is updated.

    Args:
        table: (row, dim), changed in place; row 0 is padding and is not changed.
        betas: betas of Adam.
        epsilon: epsilon of Adam.
        l2: lambda of the penalty (lambda / 2) * sum of squares of the table.
    """

    def __init__(
        self, table: Float[Tensor, "row dim"], *, betas: tuple[float, float], epsilon: float = 1e-8, l2: float = 0.0
    ) -> None:
        self._state = RowState(table.detach(), betas=betas, epsilon=epsilon, l2=l2)
        kind = RowKernels if kernels_take(table) and kernels() is not None else RowOperations
        self._arithmetic: RowArithmetic = kind(self._state)
        self._sum_of_squares = sum_of_squares(table.detach())

    def touch(self, rows: Int64[Tensor, " lookup"], *, learning_rate: float) -> TouchedRows:
        """Catch up the rows that a batch looks up, before they are read."""
        touched = TouchedRows(*self._arithmetic.find(rows))
        change = self._arithmetic.catch_up(touched.rows, learning_rate)
        self._sum_of_squares = self._sum_of_squares + change
        return touched

    def gradient(
        self, touched: TouchedRows, lookup_gradients: Float[Tensor, "lookup dim"]
    ) -> tuple[Float[Tensor, "row dim"], Tensor]:
        """Compute the gradient of the touched rows with L2, and the squared gradient norm of the whole table."""
        gradient, squares, weights_squared = self._arithmetic.gradient(touched.rows, touched.position, lookup_gradients)
        others_squared = (self._sum_of_squares - weights_squared).clamp_min(0)
        return gradient, squares + self._state.l2**2 * others_squared

    def step(
        self,
        touched: TouchedRows,
        gradient: Float[Tensor, "row dim"],
        *,
        learning_rate: float,
        scale: Tensor | float = 1.0,
    ) -> None:
        """Take one step of Adam for the touched rows, with their gradient after clipping.

        ``scale`` is the clipping factor; it also applies to the penalty of the rows that are behind.
        """
        self._state.begin_step(scale)
        change = self._arithmetic.step(touched.rows, gradient, learning_rate)
        self._sum_of_squares = self._sum_of_squares + change

    def complete(self, *, learning_rate: float, run_all: Callable[..., Iterable[Tensor]] = map) -> None:
        """Catch up every row; required before an evaluation and before a change of the learning rate.

        ``run_all`` maps a function over chunks of rows, possibly in threads.
        """
        behind = (self._state.complete < self._state.step).nonzero().flatten()
        changes = run_all(lambda chunk: self._arithmetic.catch_up(chunk, learning_rate), behind.split(_CHUNK_ROWS))
        self._sum_of_squares = sum(changes, self._sum_of_squares)

    def state(self) -> dict[str, Tensor]:
        """Collect moments, row counters, the history of scales and the running sum as they stand; not copied.

        Rows that are behind stay behind, so that taking the state changes nothing.
        """
        return {**self._state.state(), "sum_of_squares": self._sum_of_squares}

    def take_over(self, moments: tuple[Tensor, Tensor, Tensor] | None) -> None:
        """Go on from first moments, second moments and the number of steps, of a table that is up to date.

        Steps beyond those after which no bias of the moments is left are as good as one of them, so that the history
        does not grow from training to training. None: begin anew.

        Raises:
            ValueError: they belong to another table.
        """
        if moments is not None:
            first, second, steps = moments
            num_steps = min(round(float(steps)), UNBIASED_STEPS)
            self._state.restore(
                {
                    "first": first,
                    "second": second,
                    "complete": torch.full((len(first),), num_steps, dtype=torch.int32),
                    "scale": torch.ones(num_steps + 1, dtype=torch.float64),
                    "scale_sum": torch.arange(num_steps + 1, dtype=torch.float64),
                }
            )
        self._sum_of_squares = sum_of_squares(self._state.table)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what ``state`` gave, after the values of the table.

        Raises:
            ValueError: it belongs to another table.
        """
        self._state.restore(state)
        sum_of_squares = torch.zeros((), dtype=torch.float64)
        copy_exactly(sum_of_squares, state.get("sum_of_squares"), name="the sum of squares")
        self._sum_of_squares = sum_of_squares
