"""One network shared by all tasks, with a tower for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.around_network import AroundNetwork
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.tasks.gate import representations_of, side_by_side
from rankelastor.nn.tasks.towers import TaskTowers


def joined_points(networks: Sequence[nn.Module], *, name: str) -> dict[str, nn.Module]:
    """List the points of several networks, each name with that of its network before it: ``expert0.tokens``."""
    points: dict[str, nn.Module] = {}
    for index, network in enumerate(networks):
        inner: Mapping[str, nn.Module] = getattr(network, "points", {})
        points |= {f"{name}{index}.{point}": module for point, module in inner.items()}
    return points


class SharedBottom(AroundNetwork):
    """tower_k(ReLU(network(fields))) for each task k: embedded features -> logits (batch, task).

    Args:
        network: maps embedded features to (batch, width).
        towers: map (batch, task, width) to (batch, task).

    Example:
        >>> class Body(nn.Module):
        ...     def forward(self, embedded):
        ...         return embedded.fields.flatten(1)
        >>> network = SharedBottom(Body(), TaskTowers(num_tasks=2, in_dim=6))
        >>> network(Embedded(torch.randn(3, 2, 3))).shape
        torch.Size([3, 2])

    Source: Caruana 1997, Multitask Learning.
    """

    def __init__(self, network: nn.Module, towers: TaskTowers) -> None:
        super().__init__(network)
        self.towers = towers
        self.num_tasks = len(towers.bias)

    @property
    def stages(self) -> Mapping[str, Sequence[nn.Module]]:
        """The stages of the network, then the towers."""
        return {**super().stages, "towers": [self.towers]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task *part"]:
        """Compute the logits of embedded features, and while training those of the network's parts."""
        representation = representations_of([self.network], embedded)
        logits: Tensor = self.towers(representation.expand(-1, self.num_tasks, -1))
        return side_by_side(logits, num_examples=embedded.fields.shape[0])


class SeparateNetworks(nn.Module):
    """network_k(fields) for each task k: the tasks share the embeddings alone.

    Args:
        networks: one for each task, each maps embedded features to (batch, 1).

    Example:
        >>> class Body(nn.Module):
        ...     def forward(self, embedded):
        ...         return embedded.fields.sum(dim=(1, 2)).unsqueeze(1)
        >>> SeparateNetworks([Body(), Body()])(Embedded(torch.randn(3, 2, 3))).shape
        torch.Size([3, 2])
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    @property
    def points(self) -> Mapping[str, nn.Module]:
        """The points of each network, behind ``taskK.``."""
        return joined_points(list(self.networks), name="task")

    @property
    def stages(self) -> Mapping[str, Sequence[nn.Module]]:
        """One stage for each task."""
        return {f"task {index}": [network] for index, network in enumerate(self.networks)}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task *part"]:
        """Compute the logits of embedded features, and while training those of the networks' parts."""
        return torch.cat([network(embedded) for network in self.networks], dim=1)
