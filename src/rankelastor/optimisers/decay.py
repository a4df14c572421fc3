"""Choose the parameters that a decoupled weight decay shrinks."""

from __future__ import annotations

from torch import nn

_MATRIX_AXES = 2


def decayed_parameters(network: nn.Module) -> list[nn.Parameter]:
    """List the weights of the products in a network: all parameters but biases, norms and vectors.

    Example:
        >>> network = nn.Sequential(nn.Linear(3, 2), nn.RMSNorm(2))
        >>> [tuple(weight.shape) for weight in decayed_parameters(network)]
        [(2, 3)]
    """
    return [
        parameter
        for name, parameter in network.named_parameters()
        if parameter.ndim >= _MATRIX_AXES and not name.endswith("bias") and not _is_of_norm(name)
    ]


def _is_of_norm(name: str) -> bool:
    """Tell whether the module that holds a parameter is named as a norm; per-token norms have two axes."""
    return name.rpartition(".")[0].rpartition(".")[2].endswith("norm")
