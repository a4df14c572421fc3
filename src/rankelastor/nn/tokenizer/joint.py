"""Joint tokenizer: one MLP from all fields to all tokens."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.projection import Projection


class JointTokenizer(nn.Module):
    """One MLP maps the whole normed flat vector to all tokens together.

    Example:
        >>> import torch
        >>> tokenizer = JointTokenizer(num_fields=6, embedding_dim=4, num_tokens=3, token_dim=5, hidden_dims=[8])
        >>> tokenizer(torch.randn(2, 6, 4)).shape
        torch.Size([2, 3, 5])

    Source: "vector" tokenizer of the code published with arXiv 2605.23191.
    """

    def __init__(
        self,
        *,
        num_fields: int,
        embedding_dim: int,
        num_tokens: int,
        token_dim: int,
        hidden_dims: Sequence[int] = (),
        activation: str = "relu",
        norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_tokens = num_tokens
        self.norm = RMSNorm(num_fields * embedding_dim)
        self.mlp = Projection(
            in_dim=num_fields * embedding_dim,
            hidden_dims=hidden_dims,
            out_dim=num_tokens * token_dim,
            activation=activation,
            norm=norm,
            dropout=dropout,
        )

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Tokens of field embeddings."""
        tokens: Tensor = self.mlp(self.norm(embeddings.flatten(1)))
        return tokens.view(len(tokens), self.num_tokens, -1)
