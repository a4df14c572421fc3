"""A network of two numbers, for tests of what stands behind it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rankelastor.nn.embedding.embedded import Embedded


class Linear(nn.Module):
    """W flat(fields) + b."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_dim, out_dim)

    def forward(self, embedded: Embedded) -> Tensor:
        out: Tensor = self.linear(embedded.fields.flatten(1))
        return out


def fields(num_examples: int = 3) -> Embedded:
    torch.manual_seed(1)
    return Embedded(torch.randn(num_examples, 2, 2))
