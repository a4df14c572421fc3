"""The projection MLP inside tokenizers."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from rankelastor.nn.activation import activation
from rankelastor.nn.init import init_linear_
from rankelastor.nn.norm import RMSNorm


def projection(
    *,
    in_dim: int,
    hidden_dims: Sequence[int],
    out_dim: int,
    activation_name: str = "relu",
    norm: bool = True,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Linear -> [RMSNorm] -> activation -> dropout for each hidden width, then Linear: (..., in) -> (..., out).

    Example:
        >>> [type(step).__name__ for step in projection(in_dim=6, hidden_dims=[4], out_dim=3)]
        ['Linear', 'RMSNorm', 'ReLU', 'Dropout', 'Linear']
    """
    steps: list[nn.Module] = []
    for width, next_width in pairwise([in_dim, *hidden_dims]):
        steps.append(nn.Linear(width, next_width))
        if norm:
            steps.append(RMSNorm(next_width))
        steps += [activation(activation_name), nn.Dropout(dropout)]
    steps.append(nn.Linear([in_dim, *hidden_dims][-1], out_dim))
    mlp = nn.Sequential(*steps)
    init_linear_(mlp)
    return mlp
