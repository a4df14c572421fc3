"""From the embeddings of a sequence's elements to one vector."""

from jaxtyping import Float, Integer
from torch import Tensor


def masked_mean(
    embeddings: Float[Tensor, "batch position dim"], ids: Integer[Tensor, "batch position"]
) -> Float[Tensor, "batch dim"]:
    """The mean of the embeddings whose id is not padding (0); zero where all are.

    ``embeddings`` of padding are zero, as a table with a zero padding row gives them.

    Example:
        >>> import torch
        >>> embeddings = torch.tensor([[[0.0], [4.0], [6.0]], [[0.0], [0.0], [0.0]]])
        >>> masked_mean(embeddings, torch.tensor([[0, 1, 2], [0, 0, 0]])).tolist()
        [[5.0], [0.0]]
    """
    num_elements = (ids != 0).sum(dim=1, keepdim=True).clamp(min=1)
    return embeddings.sum(dim=1) / num_elements.to(embeddings.dtype)
