"""Layers in which every token has its own weights, batched in one tensor.

Tensors go in and out as (batch, token, dim). Inside, products run token by token over the whole batch, so results
lie token-major in memory; a chain of these layers never copies to change that.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankelastor.native.library import call, in_rows, kernels_fit, row_blocks
from rankelastor.nn.dropout import Mask
from rankelastor.nn.init import xavier_normal_slices_
from rankelastor.nn.norm import rms_norm

ACTIVATIONS: dict[type[nn.Module], int] = {nn.ReLU: 1, nn.GELU: 2}
"""Those that kernels can compute, and what they call them."""


class PerTokenLinear(nn.Module):
    """y_t = x_t W_t + b_t for every token t: (batch, token, in) -> (batch, token, out), one batched product.

    Args:
        num_tokens: number of tokens, each with its own weights.
        in_dim: width that comes in.
        out_dims: widths of one or more maps of the same input that lie side by side in the result.

    Example:
        >>> PerTokenLinear(num_tokens=3, in_dim=4, out_dims=[5, 2])(torch.randn(8, 3, 4)).shape
        torch.Size([8, 3, 7])
    """

    def __init__(self, *, num_tokens: int, in_dim: int, out_dims: Sequence[int]) -> None:
        super().__init__()
        self.out_dims = tuple(out_dims)
        self.weight = nn.Parameter(torch.empty(num_tokens, in_dim, sum(out_dims)))
        self.bias = nn.Parameter(torch.zeros(num_tokens, sum(out_dims)))
        xavier_normal_slices_(self.weight, self.out_dims)

    def forward(self, tokens: Float[Tensor, "batch token in_dim"]) -> Float[Tensor, "batch token out_dim"]:
        """Each token through its own linear map."""
        return torch.baddbmm(self.bias.unsqueeze(1), tokens.transpose(0, 1), self.weight).transpose(0, 1)

    def fits_kernel(self, tokens: Float[Tensor, "batch token in_dim"]) -> bool:
        """Whether ``of_activated`` can compute this map, where ``can_fuse`` says that it may."""
        return tokens.shape[1:] == self.weight.shape[:2] and kernels_fit(self.weight, self.bias)

    def of_activated(
        self, tokens: Float[Tensor, "batch token in_dim"], activation: nn.Module, dropout_rate: float
    ) -> Float[Tensor, "batch token out_dim"]:
        """The map of ``dropout(activation(tokens))`` where there are kernels, for activations in ``ACTIVATIONS``."""
        code = ACTIVATIONS[type(activation)]
        mapped: Tensor = _NativeLinear.apply(tokens, self.weight, self.bias, code, dropout_rate)  # type: ignore[no-untyped-call]
        return mapped.transpose(0, 1)


class _NativeLinear(torch.autograd.Function):
    """One call of a kernel forward and one backward; comes out token by token."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes by position
        ctx: Any, tokens: Tensor, weight: Tensor, bias: Tensor, activation: int, rate: float
    ) -> Tensor:
        tokens = in_rows(tokens.transpose(0, 1)).transpose(0, 1)
        rows, num_tokens, in_dim = tokens.shape
        mask = Mask.draw(torch.Size((num_tokens, rows, in_dim)), rate) if rate else None
        noise, threshold = (mask.noise, mask.threshold) if mask else (None, 0)
        ctx.dropped = (activation, noise, threshold, 1 / (1 - rate))
        block = row_blocks(rows, floats_a_row=3 * in_dim, num_weights=weight[0].numel())
        ctx.sizes = (num_tokens, rows, in_dim, weight.shape[2], block)
        out = tokens.new_empty(num_tokens, rows, weight.shape[2])
        scratch = tokens.new_empty(block * in_dim)
        call(
            "per_token_linear_forward",
            *(tokens, tokens.stride(1), tokens.stride(0), *ctx.dropped),
            *(weight, bias, out, scratch, *ctx.sizes),
        )
        ctx.save_for_backward(tokens, weight)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        tokens, weight = ctx.saved_tensors
        gradient = in_rows(gradient)
        num_tokens, rows, in_dim, out_dim, block = ctx.sizes
        dx, dweight = tokens.new_empty(num_tokens, rows, in_dim), torch.empty_like(weight)
        dbias, scratch = tokens.new_zeros(num_tokens, out_dim), tokens.new_empty(block * 2 * in_dim)
        call(
            "per_token_linear_backward",
            *(gradient, gradient.stride(0), gradient.stride(1), tokens, tokens.stride(1), tokens.stride(0)),
            *(*ctx.dropped, weight, dx, dweight, dbias, scratch, *ctx.sizes),
        )
        return dx.transpose(0, 1), dweight, dbias, None, None


class PerTokenRMSNorm(nn.Module):
    """RMSNorm over the last axis with a gain of its own for every token.

    Example:
        >>> PerTokenRMSNorm(num_tokens=3, dim=4)(torch.full((1, 3, 4), 7.0)).round().unique().tolist()
        [1.0]
    """

    def __init__(self, *, num_tokens: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_tokens, dim))

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Normed tokens."""
        return rms_norm(tokens, self.weight)
