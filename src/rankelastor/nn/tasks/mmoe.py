"""MMoE: experts shared by all tasks, mixed by a gate for each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.tasks.gate import ExpertGate, repeated_for_parts, representations_of, side_by_side
from rankelastor.nn.tasks.shared_bottom import joined_points
from rankelastor.nn.tasks.towers import TaskTowers


class MultiGateExperts(nn.Module):
    """tower_k(sum_e softmax(G_k x)_e ReLU(expert_e(fields))) for each task k, with x the flat fields.

    Args:
        experts: each maps embedded features to (batch, width).
        gates: one for each task.
        towers: map (batch, task, width) to (batch, task).

    Example:
        >>> class Body(nn.Module):
        ...     def forward(self, embedded):
        ...         return embedded.fields.flatten(1)
        >>> gates = [ExpertGate(in_dim=6, num_experts=3) for _ in range(2)]
        >>> network = MultiGateExperts([Body() for _ in range(3)], gates, TaskTowers(num_tasks=2, in_dim=6))
        >>> network(Embedded(torch.randn(4, 2, 3))).shape
        torch.Size([4, 2])

    Source: Ma et al. 2018, Modeling Task Relationships in Multi-task Learning (KDD).
    """

    def __init__(self, experts: Sequence[nn.Module], gates: Sequence[ExpertGate], towers: TaskTowers) -> None:
        super().__init__()
        self.experts = nn.ModuleList(experts)
        self.gates = nn.ModuleList(gates)
        self.towers = towers

    @property
    def points(self) -> Mapping[str, nn.Module]:
        """The points of each expert, behind ``expertE.``."""
        return joined_points(list(self.experts), name="expert")

    @property
    def stages(self) -> Mapping[str, Sequence[nn.Module]]:
        """Experts, gates and towers."""
        return {"experts": list(self.experts), "gates": list(self.gates), "towers": [self.towers]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task *part"]:
        """Compute the logits of embedded features, and while training those of the experts' parts."""
        experts = representations_of(list(self.experts), embedded)
        x = repeated_for_parts(embedded.fields.flatten(1), experts)
        mixed = torch.stack([gate(x, experts) for gate in self.gates], dim=1)
        return side_by_side(self.towers(mixed), num_examples=embedded.fields.shape[0])
