"""Pool the elements of a sequence into one vector."""

from jaxtyping import Bool, Float
from torch import Tensor


def masked_mean(
    elements: Float[Tensor, "batch position dim"], mask: Bool[Tensor, "batch position"]
) -> Float[Tensor, "batch dim"]:
    """Compute the mean of the elements where ``mask`` is True; zero for a sequence without elements.

    ``elements`` must be zero where the mask is False, as they are when looked up in a table with a zero padding row.

    Example:
        >>> import torch
        >>> elements = torch.tensor([[[0.0], [4.0], [6.0]], [[0.0], [0.0], [0.0]]])
        >>> masked_mean(elements, torch.tensor([[False, True, True], [False, False, False]])).tolist()
        [[5.0], [0.0]]
    """
    num_elements = mask.sum(dim=1, keepdim=True).clamp(min=1)
    return elements.sum(dim=1) / num_elements.to(elements.dtype)
