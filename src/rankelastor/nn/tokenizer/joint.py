"""Joint tokenizer: one MLP from all fields to all tokens."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.projection import Projection


class JointTokenizer(nn.Module):
    """One MLP that maps the whole normalised flat vector to all tokens together.

    Args:
        num_fields: number of fields.
        embedding_dim: width of one field's embedding.
        num_tokens: T.
        token_dim: D.
        projection: makes the MLP for an ``in_dim`` and an ``out_dim``.

    Example:
        >>> import torch
        >>> from functools import partial
        >>> one_hidden = partial(Projection, hidden_dims=[8])
        >>> tokenizer = JointTokenizer(
        ...     num_fields=6, embedding_dim=4, num_tokens=3, token_dim=5, projection=one_hidden
        ... )
        >>> tokenizer(torch.randn(2, 6, 4)).shape
        torch.Size([2, 3, 5])

    Source: the "vector" tokenizer of the code published with arXiv 2605.23191.
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
        self.num_tokens = num_tokens
        self.norm = RMSNorm(num_fields * embedding_dim)
        self.mlp = projection(in_dim=num_fields * embedding_dim, out_dim=num_tokens * token_dim)

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Compute the tokens: the projection of all normalised embeddings, cut into tokens."""
        flat = self.mlp(self.norm(embeddings.flatten(1)))
        tokens: Tensor = flat.unflatten(1, (self.num_tokens, -1))
        return tokens
