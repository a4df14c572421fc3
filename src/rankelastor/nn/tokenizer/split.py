"""Split tokenizer: equal parts of the flat embeddings through one shared MLP."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.divisibility import check_divides
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.projection import Projection


class SplitTokenizer(nn.Module):
    """Cut the normalised flat embeddings into ``num_tokens`` equal parts; ONE shared MLP maps each part to a token.

    Args:
        num_fields: number of fields.
        embedding_dim: width of one field's embedding.
        num_tokens: T; it must divide num_fields * embedding_dim.
        token_dim: D.
        projection: makes the MLP for an ``in_dim`` and an ``out_dim``.

    Example:
        >>> import torch
        >>> tokenizer = SplitTokenizer(num_fields=6, embedding_dim=4, num_tokens=3, token_dim=5)
        >>> tokenizer(torch.randn(2, 6, 4)).shape
        torch.Size([2, 3, 5])

    Source: the "matrix" tokenizer of the code published with arXiv 2605.23191.
    """

    def __init__(
        self,
        *,
        num_fields: int,
        embedding_dim: int,
        num_tokens: int,
        token_dim: int,
        projection: Callable[..., Projection] = Projection,
    ) -> None:
        super().__init__()
        flat_dim = num_fields * embedding_dim
        self.num_tokens = num_tokens
        part_dim = check_divides(
            flat_dim, "field * embedding_dim", num_tokens, "num_tokens", purpose="the split tokenizer"
        )
        self.norm = RMSNorm(flat_dim)
        self.mlp = projection(in_dim=part_dim, out_dim=token_dim)

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Compute the tokens: projection(part t of the normalised embeddings) for each token t."""
        parts = self.norm(embeddings.flatten(1)).unflatten(1, (self.num_tokens, -1))
        tokens: Tensor = self.mlp(parts)
        return tokens
