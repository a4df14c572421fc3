"""Heads: tokens (batch, token, dim) -> logits (batch,)."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.fusing import can_fuse
from rankelastor.nn.init import init_linear_
from rankelastor.nn.projection import fits_kernel, through_kernel


class MlpHead(nn.Module):
    """Flatten, Linear to twice the width, ReLU, Linear to one logit.

    Example:
        >>> import torch
        >>> MlpHead(num_tokens=3, token_dim=4)(torch.randn(2, 3, 4)).shape
        torch.Size([2])
    """

    def __init__(self, *, num_tokens: int, token_dim: int) -> None:
        super().__init__()
        flat_dim = num_tokens * token_dim
        self.mlp = nn.Sequential(nn.Linear(flat_dim, 2 * flat_dim), nn.ReLU(), nn.Linear(2 * flat_dim, 1))
        init_linear_(self)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, " batch"]:
        """Logits of tokens."""
        up, down = cast("nn.Linear", self.mlp[0]), cast("nn.Linear", self.mlp[2])
        flat = tokens.flatten(1)
        # What the kernel saves are passes of the gradient.
        may_fuse = torch.is_grad_enabled() and can_fuse(flat, up, self.mlp, *self.mlp)
        if may_fuse and fits_kernel(flat, up, self.mlp[1], down):
            logits: Tensor = through_kernel(flat, up, None, 0.0, down)
        else:
            logits = self.mlp(flat)
        return logits.squeeze(1)


class LinearHead(nn.Module):
    """Flatten, Linear to one logit.

    Example:
        >>> import torch
        >>> LinearHead(num_tokens=3, token_dim=4)(torch.randn(2, 3, 4)).shape
        torch.Size([2])
    """

    def __init__(self, *, num_tokens: int, token_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_tokens * token_dim, 1)
        init_linear_(self)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, " batch"]:
        """Logits of tokens."""
        logits: Tensor = self.linear(tokens.flatten(1))
        return logits.squeeze(1)


class MeanHead(nn.Module):
    """The mean over tokens and dim; no parameters."""

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, " batch"]:
        """Logits of tokens."""
        return tokens.mean(dim=(1, 2))
