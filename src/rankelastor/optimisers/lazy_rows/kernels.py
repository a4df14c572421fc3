"""The arithmetic of lazily updated rows in kernels: row by row, each is read and written once.

See ``lazy.py`` for what is computed, and ``operations.py`` for the same in PyTorch's operations.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rankelastor.native.calling import call, num_parts
from rankelastor.optimisers.lazy_rows.operations import EXACT_STEPS, STRIDE_SHARE, RowState


class RowKernels:
    """Row arithmetic of one table in float32; see ``RowArithmetic`` for its methods."""

    def __init__(self, state: RowState) -> None:
        self._state = state
        self._position_of_row = torch.full((len(state.table),), -1, dtype=torch.int32)

    def find(self, rows: Int64[Tensor, " lookup"]) -> tuple[Int64[Tensor, " row"], Int64[Tensor, " lookup"]]:
        """Find each row once, and the position of each look-up among them."""
        rows = rows.contiguous()
        touched, position, count = torch.empty_like(rows), torch.empty_like(rows), torch.empty(1, dtype=torch.int64)
        call(
            "find_rows",
            {
                "lookups": rows,
                "num_rows": len(self._position_of_row),
                "position_of_row": self._position_of_row,
                "touched": touched,
                "position": position,
                "num_touched": count,
            },
            rows=len(rows),
        )
        if int(count) < 0:
            num_rows, low, high = len(self._position_of_row), int(rows.min()), int(rows.max())
            raise IndexError(f"rows must be below {num_rows}, but {low} to {high} were given")
        return touched[: int(count)].clone(), position

    def gradient(
        self,
        rows: Int64[Tensor, " row"],
        position: Int64[Tensor, " lookup"],
        lookup_gradients: Float[Tensor, "lookup dim"],
    ) -> tuple[Float[Tensor, "row dim"], Tensor, Tensor]:
        """Compute the rows' gradient with L2, its squared norm, and the squared norm of the rows' weights."""
        state, dim = self._state, lookup_gradients.shape[1]
        gradient, squares = lookup_gradients.new_zeros(len(rows), dim), torch.empty(2, dtype=torch.float64)
        call(
            "gradient_of_rows",
            {
                "lookup_gradients": lookup_gradients.contiguous(),
                "position": position,
                "num_lookups": len(position),
                "table": state.table,
                "rows": rows,
                "dim": dim,
                "constants": self._constants(0.0),
                "gradient": gradient,
                "squares": squares,
            },
            rows=len(rows),
        )
        return gradient, squares[0], squares[1]

    def step(self, rows: Int64[Tensor, " row"], gradient: Float[Tensor, "row dim"], learning_rate: float) -> Tensor:
        """Take one step for these rows; returns the change of the table's sum of squares."""
        parts = num_parts(len(rows))
        change = torch.empty(parts, dtype=torch.float64)
        call(
            "step_rows",
            self._to_present(rows, learning_rate) | {"gradient": gradient.contiguous(), "change": change},
            rows=len(rows),
            parts=parts,
        )
        return change.sum()

    def catch_up(self, rows: Int64[Tensor, " row"], learning_rate: float) -> Tensor:
        """Make up for the steps that these rows missed; returns the change of the table's sum of squares."""
        state, parts = self._state, num_parts(len(rows))
        change = torch.empty(parts, dtype=torch.float64)
        call(
            "catch_up_rows",
            self._to_present(rows, learning_rate)
            | {
                "scale": state.scale,
                "scale_sum": state.scale_sum,
                "exact_steps": EXACT_STEPS,
                "stride_share": STRIDE_SHARE,
                "change": change,
            },
            rows=len(rows),
            parts=parts,
        )
        return change.sum()

    def _to_present(self, rows: Int64[Tensor, " row"], learning_rate: float) -> dict[str, Tensor | int]:
        """Give the fields that the kernels of a step and of catching up share."""
        state = self._state
        return {
            "table": state.table,
            "first": state.first,
            "second": state.second,
            "complete": state.complete,
            "rows": rows,
            "dim": state.table.shape[1],
            "now": state.step,
            "constants": self._constants(learning_rate),
            "bias_correction1": state.bias_correction1,
            "bias_correction2": state.bias_correction2,
        }

    def _constants(self, learning_rate: float) -> Tensor:
        state = self._state
        return torch.tensor([*state.betas, state.epsilon, state.l2, learning_rate], dtype=torch.float64)
