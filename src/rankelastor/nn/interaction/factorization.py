"""Products of all pairs of field embeddings, in linear time."""

from jaxtyping import Float
from torch import Tensor


def sum_of_pairs(
    fields: Float[Tensor, "batch field embedding_dim"],
) -> Float[Tensor, "batch 1"]:
    """Compute the sum of the dot products <v_i, v_j> over all pairs i < j, as ((sum v)^2 - sum v^2) / 2.

    Example:
        >>> import torch
        >>> sum_of_pairs(torch.tensor([[[1.0], [2.0], [3.0]]])).tolist()  # 1 * 2 + 1 * 3 + 2 * 3
        [[11.0]]

    Source: Rendle 2010, Factorization Machines, lemma 3.1.
    """
    products = fields.sum(dim=1).square() - fields.square().sum(dim=1)
    return products.sum(dim=1, keepdim=True) / 2
