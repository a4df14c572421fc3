"""Activation functions by name."""

from collections.abc import Callable
from typing import Literal

from torch import nn

ActivationName = Literal["relu", "gelu", "silu", "tanh", "identity"]
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
}


def activation(name: str) -> nn.Module:
    """Make the activation called ``name``; GELU is the exact form, with erf.

    Example:
        >>> activation("relu")
        ReLU()

    Raises:
        ValueError: the name is unknown.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, but {name!r} was given")
    return ACTIVATIONS[name]()
