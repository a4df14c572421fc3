"""Tokens of a tokenizer, and the elements of sequences as tokens of their own."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.init import init_linear_


class WithSequenceTokens(nn.Module):
    """tokenizer(fields), then W h_t + b for each element h_t behind them: (batch, field, e) -> (batch, token, dim).

    Args:
        tokenizer: maps the fields without the elements to tokens.
        num_elements: number of elements, the last rows of the input.
        embedding_dim: e.
        token_dim: width of a token.

    Example:
        >>> from rankelastor.nn.tokenizer.reshape import ReshapeTokenizer
        >>> tokenizer = ReshapeTokenizer(num_fields=2, embedding_dim=4, num_tokens=2, token_dim=4)
        >>> with_sequences = WithSequenceTokens(tokenizer, num_elements=3, embedding_dim=4, token_dim=4)
        >>> with_sequences(torch.randn(5, 2 + 3, 4)).shape
        torch.Size([5, 5, 4])
    """

    def __init__(self, tokenizer: nn.Module, *, num_elements: int, embedding_dim: int, token_dim: int) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.num_elements = num_elements
        self.linear = nn.Linear(embedding_dim, token_dim)
        init_linear_(self.linear)

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Make the tokens."""
        num_fields = embeddings.shape[1] - self.num_elements
        fields, elements = embeddings[:, :num_fields], embeddings[:, num_fields:]
        return torch.cat([self.tokenizer(fields), self.linear(elements)], dim=1)
