"""Target attention with one hidden layer by kernels that keep no pairs of elements and target, and skip padding.

A batch has one pair, four times as wide as an embedding, for each element of its histories; passes over pairs and
hidden values take most of the layer's time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from rankelastor.execution.kernels.operation import apply, kernels_may_compute
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.native.calling import Accumulator, call, kernels_take, num_parts, rows_per_block, with_contiguous_rows
from rankelastor.nn.batch_norm import BatchNorm
from rankelastor.nn.dice import Dice
from rankelastor.nn.sequence.target_attention import TargetAttention


@lowers(TargetAttention)
def target_attention(layer: TargetAttention, context: Context) -> Operation | None:
    """Lower target attention with one hidden layer."""
    if not context.is_plain(layer.unit, nn.Sequential) or len(layer.unit) != 3:  # noqa: PLR2004 - map, activation, map
        return None
    first, active, last = layer.unit
    is_dice = context.is_plain(active, Dice) and context.is_plain(active.norm, BatchNorm)
    plain = context.is_plain(first, nn.Linear) and context.is_plain(last, nn.Linear)
    return TargetAttentionOperation(layer) if plain and (is_dice or context.is_plain(active, nn.PReLU)) else None


class TargetAttentionOperation:
    """a_t h_t with a_t = unit([q, h_t, q - h_t, q o h_t]).

    The map of a pair is [We - Wd, Wp] [h_t, q o h_t] and a vector of q alone: half as many products of numbers, and the
    result differs only by rounding.
    """

    def __init__(self, layer: TargetAttention) -> None:
        self.layer = layer
        unit: Any = layer.unit
        self._first, self._active, self._last = unit

    def __call__(
        self,
        elements: Float[Tensor, "batch position dim"],
        mask: Bool[Tensor, "batch position"],
        target: Float[Tensor, "batch dim"],
    ) -> Float[Tensor, "batch position dim"]:
        """Weight the elements."""
        if not self.fits(elements, mask, target):
            weighted: Tensor = self.layer.forward(elements, mask, target)
            return weighted
        query, key, difference, product = self._first.weight.chunk(4, dim=1)
        lift = torch.cat([key - difference, product], dim=1)
        constant = functional.linear(target, query + difference, self._first.bias)
        norm = self._active.norm if isinstance(self._active, Dice) else None
        unit = _Unit(norm, softmax=self.layer.softmax)
        parameters = (lift, constant, self._alpha, self._last.weight, self._last.bias)
        return apply(_TargetAttention, elements, mask, target, *parameters, unit)

    @property
    def _alpha(self) -> Tensor:
        active: Any = self._active
        alpha: Tensor = active.alpha if isinstance(active, Dice) else active.weight
        return alpha

    def fits(self, elements: Tensor, mask: Tensor, target: Tensor) -> bool:
        """Tell whether the kernels can compute these inputs with the parameters that the layer has now."""
        first, last = self._first, self._last
        parameters = (first.weight, first.bias, self._alpha, last.weight, last.bias)
        if not (all(kernels_may_compute(x, first.weight) for x in (elements, target)) and kernels_take(*parameters)):
            return False
        hidden = len(first.weight)
        batch, positions, dim = elements.shape
        return (
            mask.dtype == torch.bool
            and mask.shape == (batch, positions)
            and target.shape == (batch, dim)
            and first.weight.shape == (hidden, 4 * dim)
            and first.bias.shape == self._alpha.shape == (hidden,)
            and last.weight.shape == (1, hidden)
            and last.bias.shape == (1,)
            and (not isinstance(self._active, Dice) or _norm_fits(self._active.norm, batch * positions))
        )


def _norm_fits(norm: BatchNorm, num_rows: int) -> bool:
    """Tell whether the statistics are those of a whole batch, or running values."""
    if not (norm.running_mean is not None and kernels_take(norm.running_mean, norm.running_var)):
        return False
    return not norm.training or (norm.over_ranks is None and norm.momentum is not None and num_rows > 1)


@dataclass(frozen=True)
class _Unit:
    """What the kernels need beside tensors: the norm of Dice, None for PReLU; and whether weights sum to 1."""

    norm: BatchNorm | None
    softmax: bool

    @property
    def takes_statistics(self) -> bool:
        return self.norm is not None and self.norm.training


class _TargetAttention(torch.autograd.Function):
    """The weighted elements by one kernel call forward and one backward; one more each for the statistics of Dice."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes arguments by position
        ctx: Any,
        elements: Tensor,
        mask: Tensor,
        target: Tensor,
        lift: Tensor,
        constant: Tensor,
        alpha: Tensor,
        last: Tensor,
        last_bias: Tensor,
        unit: _Unit,
    ) -> Tensor:
        elements, mask, target = with_contiguous_rows(elements), mask.contiguous(), with_contiguous_rows(target)
        task = _Task.of(elements, lift, unit)
        inputs = (elements, mask, target, lift, constant)
        batch, positions, dim = elements.shape
        rows, mean, inverse = _statistics(task, inputs, unit.norm)
        weights, out = elements.new_empty(batch, positions), elements.new_empty(batch, positions, dim)
        call(
            "attention_forward",
            {
                **task.fields(inputs),
                **_activation(rows, alpha, mean, inverse, last),
                "v0": float(last_bias),
                "softmax": unit.softmax,
                "weights": weights,
                "out": out,
                **task.scratch(3 + 2 * dim + 2 * len(alpha)),
            },
            rows=batch,
            parts=task.parts,
        )
        ctx.save_for_backward(*inputs, alpha, last, weights, rows, mean, inverse)
        ctx.task, ctx.softmax = task, unit.softmax
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, alpha, last, weights, rows, mean, inverse = ctx.saved_tensors
        elements, _, target, lift, constant = inputs
        task: _Task = ctx.task
        gradient = with_contiguous_rows(gradient)
        shared = {
            **task.fields(inputs),
            "gradient": gradient,
            "gradient_example": gradient.stride(0),
            "gradient_position": gradient.stride(1),
            **_activation(rows, alpha, mean, inverse, last),
            "weights": weights,
            "softmax": ctx.softmax,
        }
        batch, positions, dim = elements.shape
        hidden = len(alpha)
        means = None
        if task.counts_padding:
            sums = Accumulator((2, hidden), parts=task.parts)
            own = {"dnormed": sums, **task.scratch(3 + 2 * dim + 2 * hidden)}
            call("attention_statistics_backward", shared | own, rows=batch, parts=task.parts)
            means = sums.sum() / (batch * positions)
        delements, dtarget = elements.new_empty(elements.shape), target.new_empty(target.shape)
        dconstant = constant.new_empty(constant.shape)
        dlift, dalpha, dlast = (
            Accumulator(shape, parts=task.parts) for shape in (lift.shape, (hidden,), (hidden + 1,))
        )
        own = {
            "means": means,
            "delements": delements,
            "dtarget": dtarget,
            "dconstant": dconstant,
            "dlift": dlift,
            "dalpha": dalpha,
            "dv": dlast,
            **task.scratch(3 + 4 * dim + 4 * hidden),
        }
        call("attention_backward", shared | own, rows=batch, parts=task.parts)
        dweight, dbias = dlast.sum().split([hidden, 1])
        return delements, None, dtarget, dlift.sum(), dconstant, dalpha.sum(), dweight.view(1, -1), dbias, None


def _statistics(
    task: _Task, inputs: tuple[Tensor, ...], norm: BatchNorm | None
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Find the hidden rows, if they are computed for statistics, and mean and 1 / deviation of each column for Dice."""
    if norm is None:
        return None, None, None
    if task.counts_padding:
        return _take_statistics(task, inputs, norm)
    assert norm.running_mean is not None, "running values are kept"
    assert norm.running_var is not None, "running values are kept"
    return None, norm.running_mean, (norm.running_var + norm.eps).rsqrt()


def _take_statistics(
    task: _Task, inputs: tuple[Tensor, ...], norm: BatchNorm
) -> tuple[Tensor, Float[Tensor, " hidden"], Float[Tensor, " hidden"]]:
    """Compute the hidden rows, and mean and 1 / deviation of each column; the running values follow."""
    elements, hidden = inputs[0], len(inputs[3])
    batch, positions, dim = elements.shape
    rows = elements.new_empty(batch, positions + 1, hidden)
    moments = torch.zeros(task.parts, 2, hidden, dtype=torch.float64)
    own = {"hidden_rows": rows, "moments": moments, **task.scratch(3 + 2 * dim + 2 * hidden)}
    call("attention_statistics_forward", task.fields(inputs) | own, rows=batch, parts=task.parts)
    bounds = [batch * part // task.parts for part in range(task.parts + 1)]
    counts = torch.tensor(bounds, dtype=torch.float64).diff().unsqueeze(1) * positions
    total = batch * positions
    mean = (counts * moments[:, 0]).sum(0) / total
    squares = (moments[:, 1] + counts * (moments[:, 0] - mean).square()).sum(0)
    norm.keep(mean.float(), (squares / (total - 1)).float())
    return rows, mean.float(), (squares / total + norm.eps).rsqrt().float()


@dataclass(frozen=True)
class _Task:
    """How the examples of a batch are divided, the same in all calls."""

    parts: int
    block: int
    positions: int
    counts_padding: bool

    @classmethod
    def of(cls, elements: Tensor, lift: Tensor, unit: _Unit) -> _Task:
        """Divide a batch: the values of a block fit into a core's cache."""
        (batch, positions, dim), hidden, parts = elements.shape, len(lift), num_parts(len(elements), keeps_bits=False)
        per_example = (positions + 1) * (4 * dim + 4 * hidden)
        block = rows_per_block(batch, parts=parts, floats_per_row=per_example, num_weights=lift.numel())
        return cls(parts, block, positions, unit.takes_statistics)

    def fields(self, inputs: tuple[Tensor, ...] | list[Tensor]) -> dict[str, Any]:
        """Collect the fields of the input."""
        elements, mask, target, lift, constant = inputs
        return {
            "elements": elements,
            "elements_example": elements.stride(0),
            "elements_position": elements.stride(1),
            "mask": mask,
            "target": target,
            "target_example": target.stride(0),
            "lift": lift,
            "constant": constant,
            "positions": self.positions,
            "dim": elements.shape[2],
            "hidden": len(lift),
            "block": self.block,
            "counts_padding": self.counts_padding,
        }

    def scratch(self, values_per_row: int) -> dict[str, Tensor]:
        """Allocate scratch for the rows of a block, for each part."""
        rows = self.parts * self.block * (self.positions + 1)
        return {"scratch": torch.empty(rows * values_per_row), "places": torch.empty(rows, dtype=torch.int64)}


def _activation(
    rows: Tensor | None, alpha: Tensor, mean: Tensor | None, inverse: Tensor | None, last: Tensor
) -> dict[str, Tensor | None]:
    return {"hidden_rows": rows, "alpha": alpha, "mean": mean, "inverse": inverse, "v": last}
