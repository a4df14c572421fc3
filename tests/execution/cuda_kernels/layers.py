"""Layers that are lowered for CUDA, by type: the table that ``test_per_token_ffns.py`` runs over."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from rankelastor.nn.ffn.gate import PaperGate, PublishedGate
from rankelastor.nn.ffn.glu import PerTokenGlu
from rankelastor.nn.ffn.mlp import PerTokenMlpLayer
from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu

TOKENS, DIM = 3, 10


def _mlp(activation: str, dropout: float = 0.0) -> Callable[[], nn.Module]:
    return lambda: PerTokenMlpLayer(
        num_tokens=TOKENS,
        in_dim=DIM,
        out_dim=17,
        activation=activation,  # type: ignore[arg-type]
        norm=False,
        dropout=dropout,
    )


def _glu(*hidden: int, gate: str = "published", dropout: float = 0.0) -> Callable[[], nn.Module]:
    return lambda: PerTokenGlu(
        num_tokens=TOKENS,
        token_dim=DIM,
        hidden_dims=hidden,
        gate=gate,  # type: ignore[arg-type]
        dropout=dropout,
    )


LAYERS: dict[type[nn.Module], dict[str, Callable[[], nn.Module]]] = {
    PublishedGate: {
        "wide": lambda: PublishedGate(num_tokens=TOKENS, dim=DIM, inner_dim=33),
        "narrow": lambda: PublishedGate(num_tokens=TOKENS, dim=DIM, inner_dim=1),
    },
    PaperGate: {
        "wide": lambda: PaperGate(num_tokens=TOKENS, dim=DIM, inner_dim=33),
        "narrow": lambda: PaperGate(num_tokens=TOKENS, dim=DIM, inner_dim=1),
    },
    PerTokenGlu: {
        "one width": _glu(DIM),
        "one other width": _glu(8),
        "several widths": _glu(16, 16, 8),
        "no width": _glu(),
        "the paper's gate": _glu(DIM, 12, gate="paper"),
        "unit expansion": lambda: PerTokenGlu(num_tokens=TOKENS, token_dim=DIM, hidden_dims=[DIM], expansion=1.0),
        "without biases": lambda: PerTokenGlu(num_tokens=TOKENS, token_dim=DIM, hidden_dims=[DIM], bias=False),
        "all is dropped": _glu(DIM, 12, dropout=1.0),
    },
    PerTokenMlpLayer: {
        "gelu": _mlp("gelu"),
        "relu": _mlp("relu"),
        "silu": _mlp("silu"),
        "tanh": _mlp("tanh"),
        "all is dropped": _mlp("gelu", dropout=1.0),
    },
    PerTokenSwiGlu: {
        "wide": lambda: PerTokenSwiGlu(num_tokens=TOKENS, token_dim=DIM, hidden_dim=33),
        "narrow": lambda: PerTokenSwiGlu(num_tokens=TOKENS, token_dim=DIM, hidden_dim=1),
    },
}
