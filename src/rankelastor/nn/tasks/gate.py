"""A gate that mixes experts, and a network as an expert."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.init import init_linear_


class ExpertGate(nn.Module):
    """sum_e softmax(G x)_e expert_e: the experts' outputs weighted by what the example is, G without bias.

    Args:
        in_dim: width of x.
        num_experts: number of experts.

    Example:
        >>> ExpertGate(in_dim=4, num_experts=3)(torch.randn(2, 4), torch.randn(2, 3, 5)).shape
        torch.Size([2, 5])

    Source: Ma et al. 2018, Modeling Task Relationships in Multi-task Learning (KDD), equation 6.
    """

    def __init__(self, *, in_dim: int, num_experts: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_dim, num_experts, bias=False)
        init_linear_(self.linear)

    def forward(
        self, x: Float[Tensor, "batch in_dim"], experts: Float[Tensor, "batch expert dim"]
    ) -> Float[Tensor, "batch dim"]:
        """Mix the outputs of the experts."""
        weights: Tensor = self.linear(x).softmax(dim=1).to(experts.dtype)
        return (weights.unsqueeze(1) @ experts).squeeze(1)


def logits_of(network: nn.Module, embedded: Embedded) -> Float[Tensor, "batch out"]:
    """Compute the outputs of a network, without those that it returns for its parts while training."""
    outputs: Tensor = network(embedded)
    return outputs if outputs.dim() == 2 else outputs[:, :, 0]  # noqa: PLR2004 - (batch, out)


def representations_of(networks: Sequence[nn.Module], embedded: Embedded) -> Float[Tensor, "batch expert dim"]:
    """Compute ReLU(network(fields)) for each network, side by side."""
    return torch.stack([relu(logits_of(network, embedded)) for network in networks], dim=1)
