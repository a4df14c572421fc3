"""Reshape the normalised embeddings to tokens, without a projection."""

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.sizes import SizesDoNotFit


class ReshapeTokenizer(nn.Module):
    """The normalised flat embeddings, reshaped to (token, dim) without a projection.

    Example:
        >>> import torch
        >>> ReshapeTokenizer(num_fields=6, embedding_dim=4, num_tokens=3, token_dim=8)(torch.randn(2, 6, 4)).shape
        torch.Size([2, 3, 8])
    """

    def __init__(self, *, num_fields: int, embedding_dim: int, num_tokens: int, token_dim: int) -> None:
        super().__init__()
        if num_fields * embedding_dim != num_tokens * token_dim:
            raise SizesDoNotFit(
                "field * embedding_dim must equal num_tokens * token_dim without a tokenizer, but "
                f"{num_fields} * {embedding_dim} and {num_tokens} * {token_dim} were given; "
                f"try num_tokens={num_fields}, token_dim={embedding_dim}"
            )
        self.num_tokens = num_tokens
        self.norm = RMSNorm(num_fields * embedding_dim)

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Normalise all embeddings together, then cut them into tokens."""
        flat = self.norm(embeddings.flatten(1))
        tokens: Tensor = flat.unflatten(1, (self.num_tokens, -1))
        return tokens
