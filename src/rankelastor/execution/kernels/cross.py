"""Cross networks, full and of low-rank experts, with a kernel for each layer: map, product with x0 and residual.

A mixture of experts needs one product for all of them, since sum_i g_i (U_i s_i) is [U_1, U_2, ...] times [g_1 s_1; g_2
s_2; ...]; the plain layer makes a result for each expert, as wide as the input, and adds them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankelastor.execution.kernels.operation import apply, kernels_may_compute
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.native.calling import Accumulator, call, kernels_take, num_parts, rows_per_block
from rankelastor.nn.interaction.cross import CrossExperts, CrossLayer, CrossNetwork, MixtureCrossNetwork


@lowers(CrossNetwork)
def cross_network(layer: CrossNetwork, context: Context) -> Operation | None:
    """Lower a cross network as a whole."""
    plain = all(
        context.is_plain(each, CrossLayer) and context.is_plain(each.linear, nn.Linear) for each in layer.layers
    )
    return CrossOperation(layer, _FullMaps(layer)) if plain else None


@lowers(MixtureCrossNetwork)
def mixture_cross_network(layer: MixtureCrossNetwork, context: Context) -> Operation | None:
    """Lower a cross network of experts as a whole."""
    plain = all(context.is_plain(each, CrossExperts) for each in layer.layers) and context.is_plain(
        layer.gate, nn.Linear
    )
    return CrossOperation(layer, _ExpertMaps(layer)) if plain else None


class _Maps(Protocol):
    """The maps of a cross network, and the kernel that computes a layer with them."""

    kernel: str
    num_parameters: int
    """Number of parameters of a layer; those that layers share are given to each."""

    def parameters(self) -> list[Tensor]:
        """Collect the parameters, layer by layer."""

    def fit(self, width: int) -> bool:
        """Tell whether the parameters have the sizes that the kernel expects."""

    @staticmethod
    def fields(parameters: Sequence[Tensor]) -> dict[str, Any]:
        """Collect the fields for a layer's parameters and their sizes."""

    @staticmethod
    def kept(x: Tensor, parameters: Sequence[Tensor]) -> dict[str, Tensor]:
        """Allocate what the backward pass needs beside the mapped values."""

    @staticmethod
    def values_per_row(width: int, parameters: Sequence[Tensor]) -> int:
        """Count the values of scratch per row of a block in the backward pass."""


class CrossOperation:
    """Cross layers x0 o (map of x) + x, one after the other."""

    def __init__(self, layer: nn.Module, maps: _Maps) -> None:
        self.layer = layer
        self.maps = maps

    def __call__(self, x0: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        """Apply the layers."""
        parameters = self.maps.parameters()
        if not (self._fits(x0, parameters) and self.maps.fit(x0.shape[1])):
            out: Tensor = self.layer.forward(x0)
            return out
        return apply(_Cross, x0, self.maps, *parameters)

    @staticmethod
    def _fits(x0: Tensor, parameters: Sequence[Tensor]) -> bool:
        first = parameters[0] if parameters else None
        return kernels_may_compute(x0, first) and kernels_take(*parameters)


class _FullMaps:
    kernel = "cross"
    num_parameters = 2

    def __init__(self, layer: CrossNetwork) -> None:
        self._linears: list[Any] = [each.linear for each in layer.layers]

    def parameters(self) -> list[Tensor]:
        return [each for linear in self._linears for each in (linear.weight, linear.bias)]

    def fit(self, width: int) -> bool:
        return all(each.weight.shape == (width, width) and each.bias.shape == (width,) for each in self._linears)

    @staticmethod
    def fields(parameters: Sequence[Tensor]) -> dict[str, Any]:
        return dict(zip(("w", "b"), parameters, strict=True))

    @staticmethod
    def kept(x: Tensor, parameters: Sequence[Tensor]) -> dict[str, Tensor]:
        del x, parameters
        return {}

    @staticmethod
    def values_per_row(width: int, parameters: Sequence[Tensor]) -> int:
        del parameters
        return width


class _ExpertMaps:
    kernel = "cross_experts"
    num_parameters = 5

    def __init__(self, layer: MixtureCrossNetwork) -> None:
        self._gate: Any = layer.gate
        self._experts: list[Any] = list(layer.layers)

    def parameters(self) -> list[Tensor]:
        return [each for one in self._experts for each in (self._gate.weight, one.down, one.core, one.up, one.bias)]

    def fit(self, width: int) -> bool:
        return self._gate.bias is None and all(self._expert_fits(each, width) for each in self._experts)

    def _expert_fits(self, layer: CrossExperts, width: int) -> bool:
        experts, _, rank = layer.down.shape
        return (
            self._gate.weight.shape == (experts, width)
            and layer.down.shape == (experts, width, rank)
            and layer.core.shape == (experts, rank, rank)
            and layer.up.shape == (experts, rank, width)
            and layer.bias.shape == (width,)
        )

    @staticmethod
    def fields(parameters: Sequence[Tensor]) -> dict[str, Any]:
        experts, _, rank = parameters[1].shape
        named = zip(("gate", "down", "core", "up", "b"), parameters, strict=True)
        return {**dict(named), "experts": experts, "rank": rank}

    @staticmethod
    def kept(x: Tensor, parameters: Sequence[Tensor]) -> dict[str, Tensor]:
        experts, _, rank = parameters[1].shape
        first, second = x.new_empty(2, len(x), experts, rank)
        return {"gates": x.new_empty(len(x), experts), "first": first, "second": second}

    @staticmethod
    def values_per_row(width: int, parameters: Sequence[Tensor]) -> int:
        experts, _, rank = parameters[1].shape
        return width + 3 * experts * rank + experts


class _Cross(torch.autograd.Function):
    """All layers, each by one kernel call forward and one backward; the gradient of x0 is added up where it lies."""

    @staticmethod
    def forward(ctx: Any, x0: Tensor, maps: _Maps, *parameters: Tensor) -> Tensor:
        x = x0 = x0.contiguous()
        rows, width = x0.shape
        ctx.maps, ctx.parts, ctx.blocks = maps, num_parts(rows), []
        saves = any(ctx.needs_input_grad)
        saved = []
        for own in _by_layer(parameters, maps):
            weights = sum(each.numel() for each in own)
            per_row = 4 * width + maps.values_per_row(width, own)
            block = rows_per_block(rows, parts=ctx.parts, floats_per_row=per_row, num_weights=weights)
            mapped, out = x.new_empty(x.shape) if saves else None, x.new_empty(x.shape)
            kept = maps.kept(x, own)
            scratch = {"scratch": x.new_empty(ctx.parts * block * maps.values_per_row(width, own))} if kept else {}
            fields = {"x0": x0, "x": x, **maps.fields(own), **kept, "mapped": mapped, "out": out, "width": width}
            call(f"{maps.kernel}_forward", {**fields, "block": block, **scratch}, rows=rows, parts=ctx.parts)
            ctx.blocks.append(block)
            saved += [x, mapped, *kept.values()]
            x = out
        ctx.save_for_backward(*parameters, *saved)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        maps: _Maps = ctx.maps
        num_layers, gradient = len(ctx.blocks), gradient.contiguous()
        count = maps.num_parameters * num_layers
        layers = _by_layer(ctx.saved_tensors[:count], maps)
        saved = ctx.saved_tensors[count:]
        each_saved = len(saved) // num_layers
        x0 = saved[0]
        dx0 = torch.zeros_like(x0)
        gradients: list[Tensor] = []
        for place in reversed(range(num_layers)):
            own, block = layers[place], ctx.blocks[place]
            x, mapped, *kept = saved[place * each_saved : (place + 1) * each_saved]
            fields = maps.fields(own)
            names = [name for name, value in fields.items() if isinstance(value, Tensor)]
            sums = {f"d{name}": Accumulator(fields[name].shape, parts=ctx.parts) for name in names}
            fields.pop("b")
            dx = x.new_empty(x.shape) if place else None
            scratch = (block + 1) * maps.values_per_row(x.shape[1], own)
            call(
                f"{maps.kernel}_backward",
                {
                    "gradient": gradient,
                    "x0": x0,
                    "x": x,
                    **fields,
                    **dict(zip(("gates", "first", "second"), kept, strict=bool(kept))),
                    "mapped": mapped,
                    "dx0": dx0,
                    "dx": dx,
                    **sums,
                    "scratch": x.new_empty(ctx.parts * scratch),
                    "width": x.shape[1],
                    "block": block,
                },
                rows=len(x),
                parts=ctx.parts,
            )
            gradients = [*(each.sum() for each in sums.values()), *gradients]
            gradient = dx0 if dx is None else dx
        return dx0, None, *gradients


def _by_layer(parameters: Sequence[Tensor], maps: _Maps) -> list[Sequence[Tensor]]:
    size = maps.num_parameters
    return [parameters[place : place + size] for place in range(0, len(parameters), size)]
