"""Adam on the rows of an embedding table at the cost of the batch: a row is caught up when it is next touched.

Dense Adam changes every row at every step: by the tail of its moments, and by the L2 penalty, whose gradient
lambda * w passes through Adam too. Here a row that the batch does not touch is left alone, and the steps it missed are
made up for just before it is read again, and for all rows before an evaluation.

What is exact: a touched row's step; missed steps up to ``EXACT_STEPS`` in a row, one by one, as dense Adam makes them;
moments without a penalty over gaps of any length. What is not: longer gaps are made up for in ever longer strides in
which the penalty's gradient and the second moment count as constant (over gaps of 100 to 1,000 steps a weight was off
by at most 4 % of the way it went, at learning rates 1e-3 and 1e-2, lambda from 0 to 1e-2; over 3,000 by 8 %); and the
norm that clipping looks at counts the penalty of rows that wait with the weights they were last written with.
tests/training/test_lazy_rows.py holds all of it against dense Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

EXACT_STEPS = 32
_STRIDE_SHARE = 8
_CHUNK_ROWS = 16_384
_FIRST_SCALES = 1024


@dataclass(frozen=True)
class Touched:
    """The rows that a batch looks up, once each, caught up; ``place`` leads from each lookup to its row here."""

    rows: Int64[Tensor, " row"]
    place: Int64[Tensor, " lookup"]


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
        self._table = table.detach()
        self._betas, self._epsilon, self._l2 = betas, epsilon, l2
        self._first, self._second = torch.zeros_like(self._table), torch.zeros_like(self._table)
        self._complete = torch.zeros(len(table), dtype=torch.int32)
        self._is_touched = torch.zeros(len(table), dtype=torch.bool)
        self._place = torch.zeros(len(table), dtype=torch.int32)
        self._step = 0
        # By step, from 1 on: the factor by which clipping scaled its gradient, and the sum of these up to it.
        self._scale = torch.ones(_FIRST_SCALES, dtype=torch.float64)
        self._scale_sum = torch.zeros(_FIRST_SCALES, dtype=torch.float64)
        self._sum_of_squares = _sum_of_squares(self._table)

    def touch(self, rows: Int64[Tensor, " lookup"], *, learning_rate: float) -> Touched:
        """Bring the rows that a batch looks up to the present, before they are read."""
        self._is_touched[rows] = True
        touched = self._is_touched.nonzero().flatten()
        self._is_touched[touched] = False
        self._place[touched] = torch.arange(len(touched), dtype=torch.int32)
        self._sum_of_squares = self._sum_of_squares + self._catch_up(touched, learning_rate)
        return Touched(touched, self._place[rows].long())

    def gradient(
        self, touched: Touched, of_lookups: Float[Tensor, "lookup dim"]
    ) -> tuple[Float[Tensor, "row dim"], Tensor]:
        """The gradient of the touched rows, penalty included, and the square of the whole table's gradient norm."""
        size = len(touched.rows)
        gradient = torch.ops.aten.embedding_dense_backward(of_lookups, touched.place, size, -1, False)  # noqa: FBT003
        gradient[touched.rows == 0] = 0
        squares = torch.zeros((), dtype=torch.float64)
        if self._l2:
            weights = self._table[touched.rows]
            squares = self._l2**2 * (self._sum_of_squares - _sum_of_squares(weights)).clamp_min(0)
            gradient.add_(weights, alpha=self._l2)
        return gradient, squares + _sum_of_squares(gradient)

    def step(
        self,
        touched: Touched,
        gradient: Float[Tensor, "row dim"],
        *,
        learning_rate: float,
        scale: Tensor | float = 1.0,
    ) -> None:
        """One step of Adam for the touched rows, with their gradient after clipping.

        ``scale`` is the factor by which it was clipped: the penalty of the rows that wait has the same one.
        """
        self._step += 1
        self._note_scale(scale)
        rows = touched.rows
        state = _State(self._table[rows], self._first[rows], self._second[rows])
        before = _sum_of_squares(state.weight)
        ordinal = torch.full((1, 1), float(self._step), dtype=state.weight.dtype)
        self._stride(state, gradient, torch.ones_like(ordinal), ordinal, learning_rate)
        self._sum_of_squares = self._sum_of_squares + _sum_of_squares(state.weight) - before
        self._write(rows, state)
        self._complete[rows] = self._step

    def complete(self, *, learning_rate: float, run_all: Callable[..., Iterable[Tensor]] = map) -> None:
        """Bring every row to the present: before an evaluation, and before the learning rate changes.

        ``run_all`` maps a function over chunks of rows, in threads if it likes.
        """
        chunks = (self._complete < self._step).nonzero().flatten().split(_CHUNK_ROWS)
        changes = run_all(lambda chunk: self._catch_up(chunk, learning_rate), chunks)
        self._sum_of_squares = sum(changes, self._sum_of_squares)

    def _note_scale(self, scale: Tensor | float) -> None:
        if self._step == len(self._scale):
            self._scale = torch.cat([self._scale, torch.ones_like(self._scale)])
            self._scale_sum = torch.cat([self._scale_sum, torch.zeros_like(self._scale_sum)])
        self._scale[self._step] = scale
        self._scale_sum[self._step] = self._scale_sum[self._step - 1] + scale

    def _mean_scale(self, last: Tensor, lengths: Tensor) -> Tensor:
        """Of the strides that end with the steps ``last``; of a single step, its own exactly."""
        mean = (self._scale_sum[last] - self._scale_sum[last - lengths]) / lengths
        return torch.where(lengths == 1, self._scale[last], mean).to(self._table.dtype).unsqueeze(1)

    def _catch_up(self, rows: Int64[Tensor, " row"], learning_rate: float) -> Tensor:
        """Make up for the steps that these rows missed, all rows side by side, those with most to make up for first.

        Returns the change of the sum of squares of the table.
        """
        missed = self._step - self._complete[rows]
        order = missed.argsort(descending=True, stable=True)
        order = order[: int((missed > 0).sum())]
        if not len(order):
            return torch.zeros((), dtype=torch.float64)
        rows, missed = rows[order], missed[order]
        state = _State(self._table[rows], self._first[rows], self._second[rows])
        before = _sum_of_squares(state.weight)
        done = torch.zeros_like(missed)
        start = self._complete[rows]
        for length in _strides(int(missed[0])):
            active = int((missed > done).sum())
            lengths = torch.minimum(missed[:active] - done[:active], torch.full_like(done[:active], length))
            part = state.first_rows(active)
            last = start[:active] + done[:active] + lengths
            ordinal = last.to(state.weight.dtype).unsqueeze(1)
            penalty = part.weight * self._l2
            if self._l2:
                penalty.mul_(self._mean_scale(last.long(), lengths.long()))
            self._stride(part, penalty, lengths.to(ordinal.dtype).unsqueeze(1), ordinal, learning_rate)
            done[:active] += lengths
        self._write(rows, state)
        self._complete[rows] = self._step
        return _sum_of_squares(state.weight) - before

    def _stride(self, state: _State, gradient: Tensor, length: Tensor, ordinal: Tensor, learning_rate: float) -> None:
        """``length`` steps with one gradient, ending at step ``ordinal``: exact for one step, else a stride."""
        beta1, beta2 = self._betas
        kept1, kept2 = beta1**length, beta2**length
        first_before = state.first.clone()
        state.first.mul_(kept1).add_(gradient * (1 - kept1))
        squared = gradient.square()
        kept_half = beta2 ** ((length + 1) / 2)  # at the middle of the stride; of a single step, at its end
        middle = state.second * kept_half + squared * (1 - kept_half)
        state.second.mul_(kept2).add_(squared.mul_(1 - kept2))
        # the sum of the first moment over the steps of the stride; of a single step, the moment itself
        transient = beta1 * (1 - kept1) / (1 - beta1)
        moved = torch.where(length == 1, state.first, gradient * (length - transient) + first_before * transient)
        present = ordinal - (length - 1) / 2
        root = middle.div_(1 - beta2**present).sqrt_().add_(self._epsilon)
        change = moved.div_(root).mul_(learning_rate / (1 - beta1**present))
        if self._l2:
            # a long stride must not jump over zero, around which dense steps would settle
            jumps = (length > 1) & (change.abs() > state.weight.abs()) & (change * state.weight > 0)
            change = torch.where(jumps, state.weight, change)
            state.first.masked_fill_(jumps, 0)  # or it would throw the weight out again
        state.weight.sub_(change)

    def _write(self, rows: Tensor, state: _State) -> None:
        self._table[rows], self._first[rows], self._second[rows] = state.weight, state.first, state.second


@dataclass(frozen=True)
class _State:
    """Weights and moments of some rows."""

    weight: Float[Tensor, "row dim"]
    first: Float[Tensor, "row dim"]
    second: Float[Tensor, "row dim"]

    def first_rows(self, count: int) -> _State:
        return _State(self.weight[:count], self.first[:count], self.second[:count])


def _strides(num_steps: int) -> list[int]:
    """Single steps first, then strides that grow by an eighth of what is covered, until so many steps are.

    Example:
        >>> _strides(45)[-4:]
        [1, 4, 4, 5]
    """
    strides = [1] * min(num_steps, EXACT_STEPS)
    covered = len(strides)
    while covered < num_steps:
        strides.append(covered // _STRIDE_SHARE)
        covered += strides[-1]
    return strides


def _sum_of_squares(values: Tensor) -> Tensor:
    squares: Tensor = torch.linalg.vector_norm(values).double().square()
    return squares
