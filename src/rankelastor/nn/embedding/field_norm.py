"""LayerNorm of each field's embedding, with a gain and a bias of its own."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class FieldNorm(nn.Module):
    """gain_f * (v_f - mean) / sqrt(variance + 1e-5) + bias_f of every field's embedding v_f over its coordinates.

    Args:
        num_fields: number of fields.
        dim: width of an embedding.

    Example:
        >>> FieldNorm(num_fields=1, dim=2)(torch.tensor([[[1.0, 3.0]]])).round().tolist()
        [[[-1.0, 1.0]]]

    Source: MaskNet, arXiv 2102.07619, equation 2.
    """

    def __init__(self, *, num_fields: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_fields, dim))
        self.bias = nn.Parameter(torch.zeros(num_fields, dim))

    def forward(self, fields: Float[Tensor, "batch field dim"]) -> Float[Tensor, "batch field dim"]:
        """Normalise each field's embedding."""
        return functional.layer_norm(fields, fields.shape[2:]) * self.weight + self.bias
