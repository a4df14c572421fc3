"""The GLU-improved per-token FFN: each gate with the norm before it and the map after it."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.execution.chains import Chain, ChainLayer, chain, chain_layers, inner_layers
from rankelastor.execution.kernels.gate import GateOperation
from rankelastor.execution.kernels.per_token_mlp import PerTokenMlpOperation
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.nn.dropout import PerTokenDropout
from rankelastor.nn.ffn.gate import PublishedGate
from rankelastor.nn.ffn.glu import PerTokenGlu, PerTokenGluLayer
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm


@lowers(PublishedGate)
def published_gate(layer: PublishedGate, context: Context) -> Operation | None:
    """Lower a gate outside a GLU FFN."""
    return GateOperation(layer) if _maps_are_plain(layer, context) else None


@lowers(PerTokenGlu)
def per_token_glu(layer: PerTokenGlu, context: Context) -> Operation | None:
    """Lower a GLU FFN: each gate with the norm before it and the linear map after it."""
    steps = inner_layers(context, layer.layers, PerTokenGluLayer, ["norm", "gate", "widen", "dropout"])
    steps += chain_layers(context, layer.out)
    return chain(steps, context, _match)


def _match(steps: list[ChainLayer], context: Context) -> tuple[Operation, int] | None:
    """Match [norm], gate, [[dropout], map]; or dropout and map without a gate."""
    norm = steps[0].layer if steps[0].kind is PerTokenRMSNorm else None
    start = 0 if norm is None else 1
    kinds = [step.kind for step in steps[start : start + 3]]
    if kinds[:1] == [PublishedGate] and _maps_are_plain(steps[start].layer, context):
        gate = steps[start].layer
        match kinds[1:]:
            case [then, *_] if then is PerTokenLinear:
                return GateOperation(gate, norm=norm, then=steps[start + 1].layer), start + 2
            case [dropout, then] if dropout is PerTokenDropout and then is PerTokenLinear:
                behind = (steps[start + 1].layer, steps[start + 2].layer)
                return _GateBeforeDropout(gate, norm, *behind, context=context), start + 3
            case _:
                return GateOperation(gate, norm=norm), start + 1
    if norm is None and kinds[:2] == [PerTokenDropout, PerTokenLinear]:
        return _DropoutBeforeMap(steps[0].layer, steps[1].layer, context=context), 2
    return None


def _maps_are_plain(gate: PublishedGate, context: Context) -> bool:
    return all(context.is_plain(each, PerTokenLinear) for each in (gate.lift, gate.reduce))


class _GateBeforeDropout:
    """then(dropout(gate(norm(x)))): gate and map are one operation when nothing is dropped."""

    def __init__(
        self,
        gate: PublishedGate,
        norm: PerTokenRMSNorm | None,
        dropout: PerTokenDropout,
        then: PerTokenLinear,
        *,
        context: Context,
    ) -> None:
        self._dropout = dropout
        self._together = GateOperation(gate, norm=norm, then=then)
        dropped = _DropoutBeforeMap(dropout, then, context=context)
        self._apart = Chain([GateOperation(gate, norm=norm), dropped])

    def __call__(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token out_dim"]:
        return self._apart(tokens) if self._dropout.rate else self._together(tokens)


class _DropoutBeforeMap:
    """then(dropout(x)): dropout and map are one operation when something is dropped."""

    def __init__(self, dropout: PerTokenDropout, then: PerTokenLinear, *, context: Context) -> None:
        self._dropout = dropout
        self._then = then
        self._together = PerTokenMlpOperation(None, nn.Identity(), dropout, then, context=context)

    def __call__(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token out_dim"]:
        return self._together(tokens) if self._dropout.rate else self._then.forward(tokens)
