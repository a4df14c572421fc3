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


def representations_of(networks: Sequence[nn.Module], embedded: Embedded) -> Float[Tensor, "rows expert dim"]:
    """Compute ReLU(network(fields)) for each network, side by side.

    What networks return for their parts while training, (batch, out, part), comes one part below the other, so that
    what follows treats the parts alike: the examples' rows by the whole first, then by each part.
    """
    outputs = torch.stack([relu(network(embedded)) for network in networks], dim=1)
    has_parts = outputs.dim() > 3  # noqa: PLR2004 - (batch, expert, out)
    return outputs.movedim(3, 0).flatten(0, 1) if has_parts else outputs


def repeated_for_parts(x: Float[Tensor, "batch dim"], rows: Tensor) -> Float[Tensor, "rows dim"]:
    """Repeat what is known of the examples for each part that ``representations_of`` has rows of."""
    if rows.shape[0] == x.shape[0]:
        return x
    return x.repeat(rows.shape[0] // x.shape[0], 1)


def side_by_side(logits: Float[Tensor, "rows task"], *, num_examples: int) -> Float[Tensor, "batch task *part"]:
    """Put the logits of the parts beside those of the whole: (batch, task), or (batch, task, 1 + part).

    Example:
        >>> side_by_side(torch.tensor([[1.0], [2.0], [10.0], [20.0]]), num_examples=2).tolist()
        [[[1.0, 10.0]], [[2.0, 20.0]]]
    """
    if logits.shape[0] == num_examples:
        return logits
    of_parts: Tensor = logits.unflatten(0, (-1, num_examples))
    return of_parts.movedim(0, 2)
