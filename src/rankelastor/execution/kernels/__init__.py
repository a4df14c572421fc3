"""Kernels in place of plain layers, one file per kind of layer; importing this package registers them all.

Each operation keeps the layers that it replaces and reads their parameters at every call. If these no longer fit
(another precision, device or size), or while autocast is on, it calls the layers themselves.
"""

from rankelastor.execution.kernels import (
    cin,
    cross,
    dropout,
    field_attention,
    full_mixing,
    glu,
    mlp_head,
    norm,
    per_token_mlp,
    pre_norm_residual,
    projection,
    split_mixing,
    swiglu,
    target_attention,
)

__all__ = [
    "cin",
    "cross",
    "dropout",
    "field_attention",
    "full_mixing",
    "glu",
    "mlp_head",
    "norm",
    "per_token_mlp",
    "pre_norm_residual",
    "projection",
    "split_mixing",
    "swiglu",
    "target_attention",
]
