"""Per-token FFNs on CUDA: what stands between their products in one pass, see ``gated.py``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.execution.chains import ChainLayer, chain, chain_layers, inner_layers
from rankelastor.execution.folding import folding_pays
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.nn.dropout import PerTokenDropout
from rankelastor.nn.ffn.gate import PaperGate, PublishedGate
from rankelastor.nn.ffn.glu import PerTokenGlu, PerTokenGluLayer
from rankelastor.nn.ffn.mlp import PerTokenMlpLayer
from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu
from rankelastor.nn.per_token import PerTokenLinear

ACTIVATIONS: dict[type[nn.Module], str] = {nn.GELU: "gelu", nn.SiLU: "silu", nn.ReLU: "relu"}
"""The activations of an MLP that the kernels compute, and their names there."""
_MAPS = {PublishedGate: 3, PaperGate: 2}
"""Number of maps that are multiplied, by gate; one more, the residual's, lies behind them."""


@lowers(PublishedGate, PaperGate, device="cuda")
def gate(layer: PublishedGate | PaperGate, context: Context) -> Operation | None:
    """Lower a gate outside a GLU FFN."""
    return GateOperation(layer) if _are_linear(context, layer.lift, layer.reduce) else None


@lowers(PerTokenGlu, device="cuda")
def per_token_glu(layer: PerTokenGlu, context: Context) -> Operation | None:
    """Lower a GLU FFN: each gate with the linear map after it."""
    steps = inner_layers(context, layer.layers, PerTokenGluLayer, ["norm", "gate", "widen", "dropout"])
    steps += chain_layers(context, layer.out)
    return chain(steps, context, _match)


def _match(steps: list[ChainLayer], context: Context) -> tuple[Operation, int] | None:
    """Match gate, [dropout], map at the beginning of a chain."""
    first = steps[0]
    if first.kind not in _MAPS or not _are_linear(context, first.layer.lift, first.layer.reduce):
        return None
    match [step.kind for step in steps[1:3]]:
        case [then, *_] if then is PerTokenLinear:
            return GateOperation(first.layer, then=steps[1].layer), 2
        case [dropout, then] if dropout is PerTokenDropout and then is PerTokenLinear:
            return GateOperation(first.layer, dropout=steps[1].layer, then=steps[2].layer), 3
        case _:
            return GateOperation(first.layer), 1


@lowers(PerTokenMlpLayer, device="cuda")
def per_token_mlp_layer(layer: PerTokenMlpLayer, context: Context) -> Operation | None:
    """Lower a hidden width of a per-token MLP without a norm."""
    is_exact = type(layer.activation) is not nn.GELU or layer.activation.approximate == "none"
    fits = (
        _are_linear(context, layer.linear)
        and context.is_plain(layer.norm, nn.Identity)
        and type(layer.activation) in ACTIVATIONS
        and context.is_plain(layer.activation, type(layer.activation))
        and is_exact
    )
    return MlpLayerOperation(layer, context.lower(layer.dropout)) if fits else None


@lowers(PerTokenSwiGlu, device="cuda")
def per_token_swiglu(layer: PerTokenSwiGlu, context: Context) -> Operation | None:
    """Lower a SwiGLU."""
    return SwiGluOperation(layer) if _are_linear(context, layer.up, layer.down) else None


def _are_linear(context: Context, *maps: nn.Module) -> bool:
    return all(context.is_plain(each, PerTokenLinear) for each in maps)


class GateOperation:
    """then(dropout(gate(x))); dropout and the map ``then`` are optional.

    Where nothing is dropped, W3 and S1 are multiplied by ``then`` beforehand if that takes fewer multiply-adds:
    products of weights cost less than products of a batch, and the result differs only by rounding.

    Args:
        gate: the gate.
        dropout: the dropout after the gate.
        then: the linear map after the gate.
    """

    def __init__(
        self,
        gate: PublishedGate | PaperGate,
        *,
        dropout: PerTokenDropout | None = None,
        then: PerTokenLinear | None = None,
    ) -> None:
        self.gate = gate
        self.maps = _MAPS[type(gate)]
        self.dropout = dropout
        self.then = then

    def __call__(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token out_dim"]:
        """Compute then(dropout(gate(x)))."""
        reduce, then = self.gate.reduce, self.then
        drops = self.dropout is not None and self.dropout.rate > 0
        if then is not None and not drops and folding_pays(len(tokens), reduce, then) and self.fits(tokens):
            return self._folded(tokens, then)
        out: Tensor = self._gated(tokens) if self.fits(tokens) else self.gate(tokens)
        if drops:
            assert self.dropout is not None
            out = self.dropout.forward(out)
        return out if then is None else then.forward(out)

    def fits(self, tokens: Tensor) -> bool:
        """Tell whether there are tokens, and all weights have the expected sizes."""
        lift, reduce, then = self.gate.lift, self.gate.reduce, self.then
        num_tokens, inner_dim, dim = reduce.weight.shape
        out_dims = (inner_dim,) * self.maps + (dim,)
        return (
            tokens.numel() > 0
            and lift.out_dims == out_dims
            and lift.weight.shape[2] == sum(out_dims)
            and lift.bias.shape == (num_tokens, sum(out_dims))
            and reduce.bias.shape == (num_tokens, dim)
            and (then is None or then.weight.shape[:2] == (num_tokens, dim))
        )

    def _folded(self, tokens: Tensor, then: PerTokenLinear) -> Tensor:
        lift, reduce, num_columns = self.gate.lift, self.gate.reduce, self._num_columns
        direct = torch.bmm(lift.weight[:, :, num_columns:], then.weight)
        weight = torch.cat([lift.weight[:, :, :num_columns].to(direct.dtype), direct], dim=2)
        bias, direct_bias = self._biases()
        direct_bias = (direct_bias.unsqueeze(2) * then.weight).sum(dim=1) + then.bias
        bias = torch.cat([bias, direct_bias], dim=1)
        return _gate(tokens, weight, bias, torch.bmm(reduce.weight, then.weight), maps=self.maps)

    def _gated(self, tokens: Tensor) -> Tensor:
        bias = torch.cat(self._biases(), dim=1)
        return _gate(tokens, self.gate.lift.weight, bias, self.gate.reduce.weight, maps=self.maps)

    @property
    def _num_columns(self) -> int:
        return self.maps * self.gate.reduce.weight.shape[1]

    def _biases(self) -> tuple[Tensor, Tensor]:
        """Return the biases of the maps that are multiplied, and the bias of the result."""
        bias, num_columns = self.gate.lift.bias, self._num_columns
        return bias[:, :num_columns], bias[:, num_columns:] + self.gate.reduce.bias


class MlpLayerOperation:
    """dropout(activation(W x + b))."""

    def __init__(self, layer: PerTokenMlpLayer, dropout: Operation) -> None:
        self.layer = layer
        self.dropout = dropout

    def __call__(self, tokens: Float[Tensor, "batch token in_dim"]) -> Float[Tensor, "batch token out_dim"]:
        """Apply the layer to each token."""
        first = self.layer.linear
        if not _may_map(first, tokens):
            plain: Tensor = self.layer.forward(tokens)
            return plain
        activation = ACTIVATIONS[type(self.layer.activation)]
        hidden, _ = _pointwise(tokens, first.weight, first.bias, maps=1, num_direct=0, activation=activation)
        out: Tensor = self.dropout(hidden.transpose(0, 1))
        return out


class SwiGluOperation:
    """Wd (Swish(Wg x + bg) o (Wu x + bu)) + bd."""

    def __init__(self, layer: PerTokenSwiGlu) -> None:
        self.layer = layer

    def __call__(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Apply the SwiGLU to each token."""
        first = self.layer.up
        if not _may_map(first, tokens):
            plain: Tensor = self.layer.forward(tokens)
            return plain
        hidden, _ = _pointwise(tokens, first.weight, first.bias, maps=2, num_direct=0, activation="silu")
        return self.layer.down.forward(hidden.transpose(0, 1))


def _may_map(layer: PerTokenLinear, tokens: Tensor) -> bool:
    """Tell whether there are tokens to map, and the bias has the size that the kernel expects."""
    return tokens.numel() > 0 and layer.bias.shape == layer.weight.shape[::2]


def _gate(
    tokens: Float[Tensor, "batch token dim"],
    lift: Float[Tensor, "token dim lifted"],
    bias: Float[Tensor, "token lifted"],
    reduce: Float[Tensor, "token inner out_dim"],
    *,
    maps: int,
) -> Float[Tensor, "batch token out_dim"]:
    """Compute a gate from its weights; ``bias`` ends with that of its result."""
    inner, direct = _pointwise(tokens, lift, bias, maps=maps, num_direct=reduce.shape[2], activation="gelu")
    return (torch.bmm(inner, reduce) + direct).transpose(0, 1)


def _pointwise(
    tokens: Float[Tensor, "batch token dim"],
    weight: Float[Tensor, "token dim lifted"],
    bias: Float[Tensor, "token lifted"],
    *,
    maps: int,
    num_direct: int,
    activation: str,
) -> Sequence[Tensor]:
    """Multiply each token by its weights, and let the kernel compute what follows up to the next product."""
    from rankelastor.execution.cuda_kernels.gated import gated  # noqa: PLC0415 - needs Triton

    pair: Sequence[Tensor] = gated(torch.bmm(tokens.transpose(0, 1), weight), bias, maps, num_direct, activation)
    return pair
