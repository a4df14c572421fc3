"""PLE: shared experts and experts of a task's own, in layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.tasks.gate import ExpertGate, repeated_for_parts, representations_of, side_by_side
from rankelastor.nn.tasks.shared_bottom import joined_points
from rankelastor.nn.tasks.towers import TaskTowers


class ExtractionGates(nn.Module):
    """A gate for each task over its own experts and the shared ones, and one for the shared part over all experts.

    Args:
        in_dim: width of what a gate looks at.
        num_tasks: number of tasks.
        num_own: number of experts of each task.
        num_shared: number of shared experts.
        is_last: whether no layer follows, so that the shared part is not needed.

    Example:
        >>> gates = ExtractionGates(in_dim=4, num_tasks=2, num_own=1, num_shared=2, is_last=False)
        >>> experts = [torch.randn(3, 1, 5), torch.randn(3, 1, 5), torch.randn(3, 2, 5)]
        >>> gates([torch.randn(3, 4)] * 3, experts).shape  # two tasks and the shared part
        torch.Size([3, 3, 5])

    Source: Tang et al. 2020, Progressive Layered Extraction (RecSys), section 4.
    """

    def __init__(self, *, in_dim: int, num_tasks: int, num_own: int, num_shared: int, is_last: bool) -> None:
        super().__init__()
        self.tasks = nn.ModuleList(
            ExpertGate(in_dim=in_dim, num_experts=num_own + num_shared) for _ in range(num_tasks)
        )
        self.shared = None
        if not is_last:
            self.shared = ExpertGate(in_dim=in_dim, num_experts=num_tasks * num_own + num_shared)

    def forward(
        self, inputs: Sequence[Float[Tensor, "batch in_dim"]], experts: Sequence[Float[Tensor, "batch _ dim"]]
    ) -> Float[Tensor, "batch part dim"]:
        """Mix the experts of each task, and of the shared part if a layer follows.

        Args:
            inputs: what each gate looks at: one for each task, then the one of the shared part.
            experts: the experts of each task, then the shared ones.
        """
        *own, shared = experts
        mixed = [
            gate(x, torch.cat([mine, shared], dim=1))
            for gate, x, mine in zip(self.tasks, inputs[: len(own)], own, strict=True)
        ]
        if self.shared is not None:
            mixed.append(self.shared(inputs[-1], torch.cat([*own, shared], dim=1)))
        return torch.stack(mixed, dim=1)


class ExpertLayer(nn.Module):
    """ReLU(W_e x + b_e) for each expert e of a later layer: (batch, in) -> (batch, expert, dim).

    Example:
        >>> ExpertLayer(num_experts=2, dim=5)(torch.randn(3, 5)).shape
        torch.Size([3, 2, 5])
    """

    def __init__(self, *, num_experts: int, dim: int) -> None:
        super().__init__()
        self.num_experts = num_experts
        self.linear = nn.Linear(dim, num_experts * dim)
        for rows in self.linear.weight.data.split(dim):
            nn.init.xavier_normal_(rows)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch expert dim"]:
        """Apply the experts."""
        experts: Tensor = relu(self.linear(x)).unflatten(1, (self.num_experts, -1))
        return experts


class ProgressiveExtraction(nn.Module):
    """Layers of experts of each task's own and shared ones, mixed by gates, then a tower for each task.

    The experts of the first layer are networks on the fields, and its gates look at the flat fields; those of later
    layers are ReLU(W x + b) on what the gates of the layer before have mixed.

    Args:
        own: the networks of each task.
        shared: the shared networks.
        gates: the gates of each layer.
        later: for each later layer the experts of each task, then the shared ones.
        towers: map (batch, task, width) to (batch, task).

    Source: Tang et al. 2020, Progressive Layered Extraction (RecSys).
    """

    def __init__(
        self,
        *,
        own: Sequence[Sequence[nn.Module]],
        shared: Sequence[nn.Module],
        gates: Sequence[ExtractionGates],
        later: Sequence[Sequence[ExpertLayer]],
        towers: TaskTowers,
    ) -> None:
        super().__init__()
        self.own = nn.ModuleList(nn.ModuleList(networks) for networks in own)
        self.shared = nn.ModuleList(shared)
        self.gates = nn.ModuleList(gates)
        self.later = nn.ModuleList(nn.ModuleList(layer) for layer in later)
        self.towers = towers

    @property
    def _first(self) -> list[list[nn.Module]]:
        return [*([*networks] for networks in self._own), [*self.shared]]

    @property
    def _own(self) -> list[list[nn.Module]]:
        return [list(networks.children()) for networks in self.own]

    @property
    def points(self) -> Mapping[str, nn.Module]:
        """The points of each expert of the first layer, behind ``expertE.``, shared ones last."""
        return joined_points(list(chain.from_iterable(self._first)), name="expert")

    @property
    def stages(self) -> Mapping[str, Sequence[nn.Module]]:
        """Experts, gates, later experts and towers."""
        experts = list(chain.from_iterable(self._first))
        later = {"later experts": list(self.later)} if len(self.later) else {}
        return {"experts": experts, "gates": list(self.gates), **later, "towers": [self.towers]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task *part"]:
        """Compute the logits of embedded features, and while training those of the experts' parts."""
        experts = [representations_of(networks, embedded) for networks in self._first]
        x = repeated_for_parts(embedded.fields.flatten(1), experts[0])
        first, *gates = self.gates
        mixed = first([x] * len(experts), experts)
        for gate, layer in zip(gates, self.later, strict=True):
            inputs = list(mixed.unbind(1))
            mixed = gate(inputs, [expert(given) for expert, given in zip(layer.children(), inputs, strict=True)])
        return side_by_side(self.towers(mixed), num_examples=embedded.fields.shape[0])
