"""Self-attention between the fields of an example, as AutoInt has it."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from rankelastor.nn.divisibility import check_divides
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.init import init_linear_
from rankelastor.nn.sizes import DropoutRate


class FieldAttention(nn.Module):
    """ReLU(concat over heads of softmax(Q K^T) V + residual), with bias-free maps Q, K, V of the fields.

    NOTE[DIFF]: the residual is the input itself where ``in_dim`` equals ``attention_dim``, as in the benchmark code,
    and else a bias-free map of it; the paper has the map everywhere. There is no 1 / sqrt(head width) unless ``scale``.

    Args:
        in_dim: width of the input.
        attention_dim: width of the output, over all heads.
        num_heads: number of heads; it must divide ``attention_dim``.
        residual: whether the input is added.
        scale: whether scores are divided by the square root of a head's width.
        layer_norm: whether a LayerNorm precedes the ReLU.
        dropout: share of the attention weights that are dropped.

    Example:
        >>> import torch
        >>> FieldAttention(in_dim=4, attention_dim=6, num_heads=2)(torch.randn(2, 3, 4)).shape
        torch.Size([2, 3, 6])

    Source: AutoInt, arXiv 1810.11921, equations 5 to 8.
    """

    def __init__(
        self,
        *,
        in_dim: int,
        attention_dim: int,
        num_heads: int = 1,
        residual: bool = True,
        scale: bool = False,
        layer_norm: bool = False,
        dropout: DropoutRate = 0.0,
    ) -> None:
        super().__init__()
        head_dim = check_divides(attention_dim, "attention_dim", num_heads, "num_heads", purpose="attention")
        self.num_heads = num_heads
        self.factor = head_dim**-0.5 if scale else 1.0
        self.residual = residual
        self.query = nn.Linear(in_dim, attention_dim, bias=False)
        self.key = nn.Linear(in_dim, attention_dim, bias=False)
        self.value = nn.Linear(in_dim, attention_dim, bias=False)
        widens = residual and in_dim != attention_dim
        self.widen = nn.Linear(in_dim, attention_dim, bias=False) if widens else nn.Identity()
        self.norm = nn.LayerNorm(attention_dim) if layer_norm else nn.Identity()
        self.dropout = Dropout(dropout)
        init_linear_(self)

    def forward(self, fields: Float[Tensor, "batch field in_dim"]) -> Float[Tensor, "batch field attention_dim"]:
        """Let each field attend to all fields."""
        query, key, value = (self._heads(each(fields)) for each in (self.query, self.key, self.value))
        weights = self.dropout((query @ key.transpose(2, 3) * self.factor).softmax(dim=-1))
        attended = (weights @ value).transpose(1, 2).flatten(2)
        if self.residual:
            attended = attended + self.widen(fields)
        normed: Tensor = self.norm(attended)
        return relu(normed)

    def _heads(self, mapped: Float[Tensor, "batch field dim"]) -> Float[Tensor, "batch head field head_dim"]:
        heads: Tensor = mapped.unflatten(2, (self.num_heads, -1))
        return heads.transpose(1, 2)
