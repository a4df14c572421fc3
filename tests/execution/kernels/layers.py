"""The one table of layers that have kernels: how to build each, in several sizes, and on what input it is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rankelastor.nn.activation import ActivationName
from rankelastor.nn.dropout import Dropout, PerTokenDropout
from rankelastor.nn.ffn.gate import PublishedGate
from rankelastor.nn.ffn.glu import PerTokenGlu
from rankelastor.nn.ffn.mlp import PerTokenMlp
from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu
from rankelastor.nn.head import MlpHead
from rankelastor.nn.interaction.attention import FieldAttention
from rankelastor.nn.interaction.cin import CompressedInteractionNetwork
from rankelastor.nn.interaction.cross import CrossNetwork, MixtureCrossNetwork
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.mixing.heads import RevertedHeadMixing, SwappedParts
from rankelastor.nn.mixing.split import SplitMixing
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.per_token import PerTokenRMSNorm
from rankelastor.nn.projection import Projection
from rankelastor.nn.residual_norm import PreNormResidual
from rankelastor.nn.sequence.target_attention import TargetAttention


class Sequences(nn.Module):
    """A sequence layer on one tensor: the target stands behind the elements, of which every third is padding, or none.

    Padding is zero, as where it is looked up; but for the last example's, since layers are not told so.
    """

    def __init__(self, layer: TargetAttention, *, padding: bool) -> None:
        super().__init__()
        self.layer = layer
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        """Weight the elements."""
        elements, target = x[:, :-1], x[:, -1]
        mask = torch.ones(elements.shape[:2], dtype=torch.bool)
        if self.padding:
            mask = torch.arange(mask.numel()).view(mask.shape) % 3 > 0
            is_kept = mask | (torch.arange(len(x)) == len(x) - 1).unsqueeze(1)
            elements = torch.where(is_kept.unsqueeze(2) | elements.isnan(), elements, 0.0)
        out: Tensor = self.layer(elements, mask, target)
        return out


@dataclass(frozen=True)
class Case:
    """A layer and the shape of its input.

    Attributes:
        make: builds the layer.
        shape: of the input, the batch first.
        kernels: names of the kernels that training must call, backward pass included, in order.
        scoring_kernels: names of the kernels that scoring must call; None: the forward ones of training.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    kernels: tuple[str, ...]
    scoring_kernels: tuple[str, ...] | None = None

    def layer(self) -> nn.Module:
        """Build the layer with all parameters away from their initial values, so that each takes part."""
        torch.manual_seed(1)
        layer = self.make()
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=0.4)
        return layer

    def input(self, batch: int | None = None) -> Tensor:
        """Draw an input, of another batch size if it is given."""
        size = self.shape[0] if batch is None else batch
        return torch.randn(size, *self.shape[1:], generator=torch.Generator().manual_seed(2))

    @property
    def kind(self) -> type[nn.Module]:
        """The type of the layer."""
        layer = self.make()
        return type(layer.layer if isinstance(layer, Sequences) else layer)

    @property
    def forward_kernels(self) -> tuple[str, ...]:
        """The kernels that scoring must call."""
        if self.scoring_kernels is not None:
            return self.scoring_kernels
        return tuple(name for name in self.kernels if name.endswith("_forward"))


def _both(*names: str) -> tuple[str, ...]:
    """A forward and a backward pass of each of these kernels, in order of computation."""
    return (*(f"{name}_forward" for name in names), *(f"{name}_backward" for name in reversed(names)))


def _projection(*hidden: int, in_dim: int = 5, norm: bool = True, dropout: float = 0.0) -> Callable[[], Projection]:
    return lambda: Projection(in_dim=in_dim, hidden_dims=hidden, out_dim=4, norm=norm, dropout=dropout)


def _cin(num_fields: int, *layer_dims: int) -> Callable[[], nn.Module]:
    return lambda: CompressedInteractionNetwork(num_fields=num_fields, layer_dims=layer_dims)


def _mlp(
    *hidden: int,
    tokens: int = 3,
    dim: int = 7,
    activation: ActivationName = "gelu",
    norm: bool = False,
    dropout: float = 0.0,
) -> Callable[[], PerTokenMlp]:
    return lambda: PerTokenMlp(
        num_tokens=tokens, token_dim=dim, hidden_dims=hidden, activation=activation, norm=norm, dropout=dropout
    )


def _glu(
    *hidden: int, tokens: int = 3, dim: int = 7, norm: bool = True, dropout: float = 0.0
) -> Callable[[], PerTokenGlu]:
    return lambda: PerTokenGlu(num_tokens=tokens, token_dim=dim, hidden_dims=hidden, norm=norm, dropout=dropout)


def _swiglu(hidden: int, *, tokens: int = 3, dim: int = 7) -> Callable[[], PerTokenSwiGlu]:
    return lambda: PerTokenSwiGlu(num_tokens=tokens, token_dim=dim, hidden_dim=hidden)


def _residual_swiglu(hidden: int, *, tokens: int = 3, dim: int = 7) -> Callable[[], PreNormResidual]:
    return lambda: PreNormResidual(_swiglu(hidden, tokens=tokens, dim=dim)(), dim=dim)


def _residual_swap(*, tokens: int = 3, dim: int = 6) -> Callable[[], PreNormResidual]:
    return lambda: PreNormResidual(SwappedParts(num_tokens=tokens, token_dim=dim), dim=dim)


def _heads(hidden: int, *, tokens: int = 3, dim: int = 8, heads: int = 2) -> Callable[[], RevertedHeadMixing]:
    between = _swiglu(hidden, tokens=heads, dim=tokens * dim // heads)
    return lambda: RevertedHeadMixing(num_tokens=tokens, token_dim=dim, num_heads=heads, ffn=between())


def _cross(width: int, num_layers: int = 1) -> Callable[[], CrossNetwork]:
    return lambda: CrossNetwork(width=width, num_layers=num_layers)


def _mixture(width: int, num_layers: int = 1, *, rank: int = 3, experts: int = 2) -> Callable[[], nn.Module]:
    return lambda: MixtureCrossNetwork(width=width, num_layers=num_layers, rank=rank, num_experts=experts)


def _attention(
    hidden: int,
    *,
    dim: int = 5,
    activation: Literal["dice", "prelu"] = "dice",
    softmax: bool = False,
    padding: bool = True,
) -> Callable[[], Sequences]:
    return lambda: Sequences(
        TargetAttention(embedding_dim=dim, hidden_dims=[hidden], activation=activation, softmax=softmax),
        padding=padding,
    )


def _fields(in_dim: int, width: int, heads: int = 1, **given: Any) -> Callable[[], FieldAttention]:
    return lambda: FieldAttention(in_dim=in_dim, attention_dim=width, num_heads=heads, **given)


_PRELU_ATTENTION = ("attention_forward", "attention_backward")
_DICE_ATTENTION = tuple(
    f"attention_{name}" for name in ("statistics_forward", "forward", "statistics_backward", "backward")
)
_FIELDS = _both("field_attention")
_CIN, _SWIGLU, _CROSS, _EXPERTS = _both("cin"), _both("swiglu"), _both("cross"), _both("cross_experts")
_PROJECTION, _MLP, _GATE, _NORM = _both("projection"), _both("per_token_mlp"), _both("gate"), _both("rms_norm")

LAYERS: dict[type[nn.Module], dict[str, Case]] = {
    RMSNorm: {
        "rows": Case(lambda: RMSNorm(9), (11, 9), _NORM),
        "one row": Case(lambda: RMSNorm(9), (1, 9), _NORM),
        "one column": Case(lambda: RMSNorm(1), (11, 1), _NORM),
        "tokens": Case(lambda: RMSNorm(7), (13, 3, 7), _NORM),
    },
    PerTokenRMSNorm: {
        "tokens": Case(lambda: PerTokenRMSNorm(num_tokens=3, dim=9), (11, 3, 9), _NORM),
        "one row": Case(lambda: PerTokenRMSNorm(num_tokens=3, dim=9), (1, 3, 9), _NORM),
        "one token": Case(lambda: PerTokenRMSNorm(num_tokens=1, dim=9), (11, 1, 9), _NORM),
        "one row, one token, one column": Case(lambda: PerTokenRMSNorm(num_tokens=1, dim=1), (1, 1, 1), _NORM),
    },
    Dropout: {
        "half": Case(lambda: Dropout(0.5), (11, 3, 7), ()),
        "a fifth": Case(lambda: Dropout(0.2), (11, 7), ()),
        "none": Case(lambda: Dropout(0.0), (11, 7), ()),
        "all": Case(lambda: Dropout(1.0), (11, 7), ()),
        "nearly all": Case(lambda: Dropout(0.999), (11, 7), ()),
    },
    PerTokenDropout: {
        "a fifth": Case(lambda: PerTokenDropout(0.2), (11, 3, 7), ()),
        "none": Case(lambda: PerTokenDropout(0.0), (11, 3, 7), ()),
        "all": Case(lambda: PerTokenDropout(1.0), (11, 3, 7), ()),
        "one token": Case(lambda: PerTokenDropout(0.2), (1, 1, 7), ()),
    },
    SplitMixing: {
        "many rows": Case(lambda: SplitMixing(num_tokens=3, token_dim=6), (150, 3, 6), _both("split_mixing")),
        "one row": Case(lambda: SplitMixing(num_tokens=3, token_dim=9), (1, 3, 9), _both("split_mixing")),
        "one token": Case(lambda: SplitMixing(num_tokens=1, token_dim=5), (11, 1, 5), _both("split_mixing")),
    },
    FullMixing: {
        "odd": Case(lambda: FullMixing(num_tokens=3, token_dim=5), (151, 3, 5), _both("full_mixing")),
        "one row": Case(lambda: FullMixing(num_tokens=3, token_dim=5), (1, 3, 5), _both("full_mixing")),
        "one token": Case(lambda: FullMixing(num_tokens=1, token_dim=5), (11, 1, 5), _both("full_mixing")),
        "many rows": Case(lambda: FullMixing(num_tokens=3, token_dim=150), (300, 3, 150), _both("full_mixing")),
    },
    Projection: {
        "norm": Case(_projection(37), (6, 3, 5), _PROJECTION),
        "norm, dropout": Case(_projection(37, dropout=0.2), (6, 3, 5), _PROJECTION),
        "dropout": Case(_projection(37, norm=False, dropout=0.3), (6, 3, 5), _PROJECTION),
        "plain": Case(_projection(37, norm=False), (6, 5), _PROJECTION),
        "one row": Case(_projection(37, dropout=0.2), (1, 5), _PROJECTION),
        "wide": Case(_projection(37, in_dim=80, dropout=0.3), (700, 80), _PROJECTION),
        "many hidden": Case(_projection(1900), (150, 5), _PROJECTION),
        "two hidden": Case(
            _projection(9, 7, dropout=0.3),
            (6, 5),
            (*_PROJECTION[:1], "rms_norm_forward", "rms_norm_backward", *_PROJECTION[1:]),
        ),
        "three hidden": Case(_projection(9, 8, 7, norm=False), (6, 5), (*_PROJECTION[:1] * 2, *_PROJECTION[1:] * 2)),
        "most dropped": Case(_projection(37, dropout=0.998), (6, 5), _PROJECTION),
        "no hidden": Case(_projection(), (6, 5), ()),
    },
    CompressedInteractionNetwork: {
        "two layers": Case(_cin(5, 4, 3), (11, 5, 6), (*_CIN[:1] * 2, *_CIN[1:] * 2)),
        "many rows": Case(_cin(7, 16), (90, 7, 3), _CIN),
        "one row": Case(_cin(5, 4, 3), (1, 5, 6), (*_CIN[:1] * 2, *_CIN[1:] * 2)),
        "one field": Case(_cin(1, 4), (11, 1, 6), _CIN),
        "one sum": Case(_cin(5, 1, 1), (11, 5, 2), (*_CIN[:1] * 2, *_CIN[1:] * 2)),
    },
    CrossNetwork: {
        "three layers": Case(_cross(7, 3), (150, 7), _CROSS[:1] * 3 + _CROSS[1:] * 3),
        "one row": Case(_cross(7, 2), (1, 7), _CROSS[:1] * 2 + _CROSS[1:] * 2),
        "one column": Case(_cross(1), (11, 1), _CROSS),
        "wide": Case(_cross(150), (300, 150), _CROSS),
    },
    MixtureCrossNetwork: {
        "three layers": Case(_mixture(7, 3), (150, 7), _EXPERTS[:1] * 3 + _EXPERTS[1:] * 3),
        "one row": Case(_mixture(7, 2), (1, 7), _EXPERTS[:1] * 2 + _EXPERTS[1:] * 2),
        "one expert": Case(_mixture(7, experts=1), (11, 7), _EXPERTS),
        "one column, one rank": Case(_mixture(1, rank=1), (11, 1), _EXPERTS),
        "wide": Case(_mixture(80, rank=19, experts=3), (300, 80), _EXPERTS),
    },
    MlpHead: {
        "odd": Case(lambda: MlpHead(num_tokens=3, token_dim=5), (11, 3, 5), _PROJECTION),
        "one row": Case(lambda: MlpHead(num_tokens=3, token_dim=4), (1, 3, 4), _PROJECTION),
        "one token": Case(lambda: MlpHead(num_tokens=1, token_dim=4), (11, 1, 4), _PROJECTION),
        "tasks": Case(lambda: MlpHead(num_tokens=3, token_dim=4, num_tasks=3), (11, 3, 4), _PROJECTION),
    },
    PerTokenMlp: {
        "gelu": Case(_mlp(16), (150, 3, 7), _MLP),
        "two hidden": Case(_mlp(16, 9), (150, 3, 7), (*_MLP[:1] * 2, *_MLP[1:] * 2)),
        "three hidden, dropout": Case(_mlp(16, 9, 5, dropout=0.2), (11, 3, 7), (*_MLP[:1] * 3, *_MLP[1:] * 3)),
        "relu, dropout": Case(_mlp(16, activation="relu", dropout=0.3), (11, 3, 7), _MLP),
        "one row": Case(_mlp(16, dropout=0.2), (1, 3, 7), _MLP),
        "one token": Case(_mlp(16, tokens=1), (11, 1, 7), _MLP),
        "wide, two hidden": Case(_mlp(16, 9, dim=70, dropout=0.3), (150, 3, 70), (*_MLP[:1] * 2, *_MLP[1:] * 2)),
        "norm": Case(_mlp(16, norm=True, dropout=0.3), (11, 3, 7), _both("rms_norm", "per_token_mlp")),
        "norm, two hidden": Case(
            _mlp(16, 9, norm=True, dropout=0.3),
            (11, 3, 7),
            _both("rms_norm", "per_token_mlp", "rms_norm", "per_token_mlp"),
        ),
        "many hidden": Case(_mlp(1900, dim=5), (150, 3, 5), _MLP),
        "tanh, norm": Case(_mlp(16, activation="tanh", norm=True), (11, 3, 7), _NORM),
        "most dropped": Case(_mlp(16, dropout=0.998), (11, 3, 7), _MLP),
        "no hidden": Case(_mlp(), (11, 3, 7), ()),
    },
    PerTokenSwiGlu: {
        "odd": Case(_swiglu(19), (150, 3, 7), _SWIGLU),
        "one row": Case(_swiglu(19), (1, 3, 7), _SWIGLU),
        "one token": Case(_swiglu(19, tokens=1), (11, 1, 7), _SWIGLU),
        "one column": Case(_swiglu(1, dim=1), (11, 3, 1), _SWIGLU),
        "wide": Case(_swiglu(33, dim=70), (80, 3, 70), _SWIGLU),
        "many hidden": Case(_swiglu(1900, dim=5), (150, 3, 5), _SWIGLU),
    },
    PreNormResidual: {
        "odd": Case(_residual_swiglu(19), (150, 3, 7), _SWIGLU),
        "one row": Case(_residual_swiglu(19), (1, 3, 7), _SWIGLU),
        "one token": Case(_residual_swiglu(19, tokens=1), (11, 1, 7), _SWIGLU),
        "wide": Case(_residual_swiglu(33, dim=70), (80, 3, 70), _SWIGLU),
        "swapped parts": Case(_residual_swap(), (150, 3, 6), _both("swapped_parts")),
        "swapped parts, one row": Case(_residual_swap(), (1, 3, 6), _both("swapped_parts")),
        "swapped parts, one token": Case(_residual_swap(tokens=1), (11, 1, 6), _both("swapped_parts")),
        "of another layer": Case(
            lambda: PreNormResidual(PerTokenMlp(num_tokens=3, token_dim=7, hidden_dims=[16]), dim=7),
            (11, 3, 7),
            _both("rms_norm", "per_token_mlp"),
        ),
    },
    RevertedHeadMixing: {
        "odd": Case(_heads(19), (150, 3, 8), _SWIGLU),
        "one row": Case(_heads(19), (1, 3, 8), _SWIGLU),
        "one token": Case(_heads(19, tokens=1), (11, 1, 8), _SWIGLU),
        "one head": Case(_heads(19, heads=1), (11, 3, 8), _SWIGLU),
        "wide": Case(_heads(33, tokens=5, dim=32, heads=2), (80, 5, 32), _SWIGLU),
    },
    FieldAttention: {
        "widens": Case(_fields(5, 6, 2), (150, 7, 5), _FIELDS),
        "same width": Case(_fields(6, 6, 3), (11, 7, 6), _FIELDS),
        "scaled, no residual": Case(_fields(6, 6, 2, scale=True, residual=False), (11, 4, 6), _FIELDS),
        "narrows, three maps as wide as four": Case(_fields(8, 6), (11, 4, 8), _FIELDS),
        "many fields": Case(_fields(10, 32, 2), (40, 39, 10), _FIELDS),
        "one row": Case(_fields(5, 6, 2), (1, 7, 5), _FIELDS),
        "one field": Case(_fields(5, 6, 2), (11, 1, 5), _FIELDS),
        "one column": Case(_fields(1, 1), (11, 3, 1), _FIELDS),
        "norm": Case(_fields(5, 6, 2, layer_norm=True), (11, 7, 5), ()),
        "dropout": Case(_fields(5, 6, 2, dropout=0.3), (11, 7, 5), (), _FIELDS[:1]),
    },
    TargetAttention: {
        "dice": Case(_attention(19), (150, 8, 5), _DICE_ATTENTION, _PRELU_ATTENTION[:1]),
        "dice, no padding": Case(_attention(16, padding=False), (11, 4, 5), _DICE_ATTENTION, _PRELU_ATTENTION[:1]),
        "dice, softmax": Case(_attention(19, softmax=True), (150, 8, 5), _DICE_ATTENTION, _PRELU_ATTENTION[:1]),
        "dice, one row": Case(_attention(19), (1, 6, 5), _DICE_ATTENTION, _PRELU_ATTENTION[:1]),
        "prelu": Case(_attention(19, activation="prelu"), (150, 8, 5), _PRELU_ATTENTION),
        "prelu, softmax": Case(_attention(19, activation="prelu", softmax=True), (150, 8, 5), _PRELU_ATTENTION),
        "prelu, one element": Case(_attention(1, dim=1, activation="prelu"), (11, 2, 1), _PRELU_ATTENTION),
        "prelu, many hidden": Case(_attention(900, activation="prelu"), (40, 9, 5), _PRELU_ATTENTION),
    },
    PublishedGate: {
        "odd": Case(lambda: PublishedGate(num_tokens=3, dim=7, inner_dim=19), (11, 3, 7), _GATE),
        "one row": Case(lambda: PublishedGate(num_tokens=3, dim=7, inner_dim=19), (1, 3, 7), _GATE),
        "one token": Case(lambda: PublishedGate(num_tokens=1, dim=7, inner_dim=19), (11, 1, 7), _GATE),
        "one column": Case(lambda: PublishedGate(num_tokens=2, dim=1, inner_dim=1), (11, 2, 1), _GATE),
        "many inner": Case(lambda: PublishedGate(num_tokens=3, dim=5, inner_dim=900), (80, 3, 5), _GATE),
        "wide": Case(lambda: PublishedGate(num_tokens=3, dim=70, inner_dim=19), (11, 3, 70), _GATE),
    },
    PerTokenGlu: {
        "few rows": Case(_glu(16, 16), (11, 3, 7), (*_GATE[:1] * 2, *_GATE[1:] * 2)),
        "folded": Case(_glu(16, 16), (150, 3, 7), (*_GATE[:1] * 2, *_GATE[1:] * 2)),
        "no norm": Case(_glu(16, norm=False), (150, 3, 7), _GATE),
        "one row": Case(_glu(16), (1, 3, 7), _GATE),
        "one token": Case(_glu(16, tokens=1), (11, 1, 7), _GATE),
        "same width": Case(_glu(7), (150, 3, 7), _GATE),
        "dropout": Case(
            _glu(7, 16, dropout=0.3), (150, 3, 7), _both("gate", "gate", "per_token_mlp"), _both("gate", "gate")[:2]
        ),
        "dropout, one row": Case(_glu(16, dropout=0.2), (1, 3, 7), _both("gate", "per_token_mlp"), ("gate_forward",)),
        "wide": Case(_glu(16, dim=70), (80, 3, 70), _GATE),
    },
}
"""For each registered type, cases by name."""
