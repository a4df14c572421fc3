"""Split tokenizer: equal parts of the flat embeddings through one shared MLP."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.divide import divided
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.projection import Projection


class SplitTokenizer(nn.Module):
    """Cut the normed flat embeddings into ``num_tokens`` equal parts; ONE shared MLP maps each part to a token.

    Example:
        >>> import torch
        >>> tokenizer = SplitTokenizer(num_fields=6, embedding_dim=4, num_tokens=3, token_dim=5)
        >>> tokenizer(torch.randn(2, 6, 4)).shape
        torch.Size([2, 3, 5])

    Source: "matrix" tokenizer of the code published with arXiv 2605.23191.
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
        flat_dim = num_fields * embedding_dim
        self.num_tokens = num_tokens
        part_dim = divided(flat_dim, "field * embedding_dim", num_tokens, "num_tokens", purpose="the split tokenizer")
        self.norm = RMSNorm(flat_dim)
        self.mlp = Projection(
            in_dim=part_dim,
            hidden_dims=hidden_dims,
            out_dim=token_dim,
            activation=activation,
            norm=norm,
            dropout=dropout,
        )

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Tokens of field embeddings."""
        parts = self.norm(embeddings.flatten(1)).view(len(embeddings), self.num_tokens, -1)
        tokens: Tensor = self.mlp(parts)
        return tokens
