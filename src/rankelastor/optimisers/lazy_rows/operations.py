"""The arithmetic of lazily updated rows in PyTorch's operations, on all rows at once.

See ``lazy.py`` for the definition; ``kernels.py`` computes the same row by row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rankelastor.optimisers.copying import copy_exactly

EXACT_STEPS = 32
STRIDE_SHARE = 8
_FIRST_STEPS = 1024


class RowState:
    """A table, its moments, and the history of the steps so far.

    ``complete``: the step up to which each row is updated. Per step t, from 1 on: ``scale[t]``, the clipping factor;
    ``scale_sum[t]``, its running sum; ``bias_correction1[t]`` and ``bias_correction2[t]``, 1 - beta**t.
    """

    def __init__(self, table: Tensor, *, betas: tuple[float, float], epsilon: float, l2: float) -> None:
        self.table, self.betas, self.epsilon, self.l2 = table, betas, epsilon, l2
        self.first, self.second = torch.zeros_like(table), torch.zeros_like(table)
        self.complete = torch.zeros(len(table), dtype=torch.int32)
        self.step = 0
        self.scale = torch.ones(_FIRST_STEPS, dtype=torch.float64)
        self.scale_sum = torch.zeros(_FIRST_STEPS, dtype=torch.float64)
        self._set_bias_corrections()

    def begin_step(self, scale: Tensor | float) -> None:
        """Begin a new step whose gradient was scaled by ``scale``, the clipping factor."""
        self.step += 1
        self._make_room()
        self.scale[self.step] = scale
        self.scale_sum[self.step] = self.scale_sum[self.step - 1] + scale

    def state(self) -> dict[str, Tensor]:
        """Collect all that the next steps depend on, rows that are behind as they stand; not copied."""
        return {
            "first": self.first,
            "second": self.second,
            "complete": self.complete,
            "scale": self.scale[: self.step + 1],
            "scale_sum": self.scale_sum[: self.step + 1],
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what ``state`` gave for a table of the same shape.

        Raises:
            ValueError: it belongs to another table.
        """
        for name in ("first", "second", "complete"):
            copy_exactly(getattr(self, name), state.get(name), name=f"{name} of the rows")
        if "scale" not in state or not len(state["scale"]):
            raise ValueError("the history of scales is missing")
        self.step = len(state["scale"]) - 1
        self._make_room()
        for name in ("scale", "scale_sum"):
            copy_exactly(getattr(self, name)[: self.step + 1], state.get(name), name=f"{name} of the steps")

    def _make_room(self) -> None:
        """Make the history long enough for the present step."""
        while self.step >= len(self.scale):
            self.scale = torch.cat([self.scale, torch.ones_like(self.scale)])
            self.scale_sum = torch.cat([self.scale_sum, torch.zeros_like(self.scale_sum)])
            self._set_bias_corrections()

    def _set_bias_corrections(self) -> None:
        steps = torch.arange(len(self.scale), dtype=torch.float64)
        self.bias_correction1, self.bias_correction2 = (1 - beta**steps for beta in self.betas)


class RowArithmetic(Protocol):
    """The operations on rows that ``LazyRows`` needs."""

    def find(self, rows: Int64[Tensor, " lookup"]) -> tuple[Int64[Tensor, " row"], Int64[Tensor, " lookup"]]:
        """Find each row once, and the position of each look-up among them."""
        ...

    def gradient(
        self,
        rows: Int64[Tensor, " row"],
        position: Int64[Tensor, " lookup"],
        lookup_gradients: Float[Tensor, "lookup dim"],
    ) -> tuple[Float[Tensor, "row dim"], Tensor, Tensor]:
        """Compute the rows' gradient with L2, its squared norm, and the squared norm of the rows' weights."""
        ...

    def step(self, rows: Int64[Tensor, " row"], gradient: Float[Tensor, "row dim"], learning_rate: float) -> Tensor:
        """Take one step for these rows; return the change of the table's sum of squares."""
        ...

    def catch_up(self, rows: Int64[Tensor, " row"], learning_rate: float) -> Tensor:
        """Take the steps that these rows missed; return the change of the table's sum of squares."""
        ...


class RowOperations:
    """Row arithmetic of one table in PyTorch's operations."""

    def __init__(self, state: RowState) -> None:
        self._state = state
        self._is_touched = torch.zeros(len(state.table), dtype=torch.bool)
        self._position_of_row = torch.zeros(len(state.table), dtype=torch.int32)

    def find(self, rows: Int64[Tensor, " lookup"]) -> tuple[Int64[Tensor, " row"], Int64[Tensor, " lookup"]]:
        """Find each row once, and the position of each look-up among them."""
        self._is_touched[rows] = True
        touched = torch.from_numpy(np.flatnonzero(self._is_touched.numpy()))  # ten times as fast as torch.nonzero
        self._is_touched[touched] = False
        self._position_of_row[touched] = torch.arange(len(touched), dtype=torch.int32)
        return touched, self._position_of_row[rows].long()

    def gradient(
        self,
        rows: Int64[Tensor, " row"],
        position: Int64[Tensor, " lookup"],
        lookup_gradients: Float[Tensor, "lookup dim"],
    ) -> tuple[Float[Tensor, "row dim"], Tensor, Tensor]:
        """Compute the rows' gradient with L2, its squared norm, and the squared norm of the rows' weights."""
        gradient = torch.ops.aten.embedding_dense_backward(lookup_gradients, position, len(rows), -1, False)  # noqa: FBT003
        gradient[rows == 0] = 0
        weights = self._state.table[rows]
        gradient.add_(weights, alpha=self._state.l2)
        return gradient, sum_of_squares(gradient), sum_of_squares(weights)

    def step(self, rows: Int64[Tensor, " row"], gradient: Float[Tensor, "row dim"], learning_rate: float) -> Tensor:
        """Take one step for these rows; return the change of the table's sum of squares."""
        part = self._read(rows)
        before = sum_of_squares(part.weight)
        ordinal = torch.full((1, 1), float(self._state.step), dtype=part.weight.dtype)
        self._stride(part, gradient, torch.ones_like(ordinal), ordinal, learning_rate)
        self._write(rows, part)
        return sum_of_squares(part.weight) - before

    def catch_up(self, rows: Int64[Tensor, " row"], learning_rate: float) -> Tensor:
        """Take the steps that these rows missed, starting with the rows that missed most.

        Return the change of the table's sum of squares.
        """
        missed = self._state.step - self._state.complete[rows]
        order = missed.argsort(descending=True, stable=True)
        order = order[: int((missed > 0).sum())]
        if not len(order):
            return torch.zeros((), dtype=torch.float64)
        rows, missed = rows[order], missed[order]
        whole = self._read(rows)
        before = sum_of_squares(whole.weight)
        done = torch.zeros_like(missed)
        start = self._state.complete[rows]
        for length in _strides(int(missed[0])):
            active = int((missed > done).sum())
            lengths = torch.minimum(missed[:active] - done[:active], torch.full_like(done[:active], length))
            part = whole.first_rows(active)
            last = start[:active] + done[:active] + lengths
            ordinal = last.to(part.weight.dtype).unsqueeze(1)
            penalty = part.weight * self._state.l2
            if self._state.l2:
                penalty.mul_(self._mean_scale(last.long(), lengths.long()))
            self._stride(part, penalty, lengths.to(ordinal.dtype).unsqueeze(1), ordinal, learning_rate)
            done[:active] += lengths
        self._write(rows, whole)
        return sum_of_squares(whole.weight) - before

    def _mean_scale(self, last: Tensor, lengths: Tensor) -> Tensor:
        """Average the clipping factors over the strides that end with the steps ``last``; exact for a single step."""
        state = self._state
        mean = (state.scale_sum[last] - state.scale_sum[last - lengths]) / lengths
        return torch.where(lengths == 1, state.scale[last], mean).to(state.table.dtype).unsqueeze(1)

    def _stride(
        self, part: _RowValues, gradient: Tensor, length: Tensor, ordinal: Tensor, learning_rate: float
    ) -> None:
        """Take ``length`` steps with one gradient, ending at step ``ordinal``: exact for one step, else a stride."""
        beta1, beta2 = self._state.betas
        kept1, kept2 = beta1**length, beta2**length
        first_before = part.first.clone()
        part.first.mul_(kept1).add_(gradient * (1 - kept1))
        squared = gradient.square()
        kept_half = beta2 ** (
            (length + 1) / 2
        )  # decay up to the middle of the stride; for a single step, up to its end
        middle = part.second * kept_half + squared * (1 - kept_half)
        part.second.mul_(kept2).add_(squared.mul_(1 - kept2))
        # The sum of the first moment over the steps of the stride; for a single step, the moment itself.
        transient = beta1 * (1 - kept1) / (1 - beta1)
        moved = torch.where(length == 1, part.first, gradient * (length - transient) + first_before * transient)
        present = ordinal - (length - 1) / 2
        root = middle.div_(1 - beta2**present).sqrt_().add_(self._state.epsilon)
        change = moved.div_(root).mul_(learning_rate / (1 - beta1**present))
        if self._state.l2:
            # A stride must not cross zero, where dense steps would settle.
            jumps = (length > 1) & (change.abs() > part.weight.abs()) & (change * part.weight > 0)
            change = torch.where(jumps, part.weight, change)
            part.first.masked_fill_(jumps, 0)  # otherwise it would move the weight away again
        part.weight.sub_(change)

    def _read(self, rows: Tensor) -> _RowValues:
        state = self._state
        return _RowValues(state.table[rows], state.first[rows], state.second[rows])

    def _write(self, rows: Tensor, part: _RowValues) -> None:
        state = self._state
        state.table[rows], state.first[rows], state.second[rows] = part.weight, part.first, part.second
        state.complete[rows] = state.step


@dataclass(frozen=True)
class _RowValues:
    """The weights and moments of some rows."""

    weight: Float[Tensor, "row dim"]
    first: Float[Tensor, "row dim"]
    second: Float[Tensor, "row dim"]

    def first_rows(self, count: int) -> _RowValues:
        return _RowValues(self.weight[:count], self.first[:count], self.second[:count])


def _strides(num_steps: int) -> list[int]:
    """Cut ``num_steps`` into single steps first, then strides that grow by an eighth of the steps covered.

    Example:
        >>> _strides(45)[-4:]
        [1, 4, 4, 5]
    """
    strides = [1] * min(num_steps, EXACT_STEPS)
    covered = len(strides)
    while covered < num_steps:
        strides.append(covered // STRIDE_SHARE)
        covered += strides[-1]
    return strides


def sum_of_squares(values: Tensor) -> Tensor:
    """Compute the sum of squares of all values, in float64."""
    squares: Tensor = torch.linalg.vector_norm(values).double().square()
    return squares
