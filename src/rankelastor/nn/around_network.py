"""What stands around a network shows the network's points and stages as its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn


class AroundNetwork(nn.Module):
    """The base of modules that compute logits with a network: its points and stages are theirs, and they may add some.

    Args:
        network: maps embedded features.

    Example:
        >>> list(AroundNetwork(nn.Linear(2, 1)).stages)
        ['network']
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @property
    def points(self) -> Mapping[str, nn.Module]:
        """The points of the network."""
        points: Mapping[str, nn.Module] = getattr(self.network, "points", {})
        return points

    @property
    def stages(self) -> Mapping[str, Sequence[nn.Module]]:
        """The stages of the network."""
        stages: Mapping[str, Sequence[nn.Module]] = getattr(self.network, "stages", {"network": [self.network]})
        return stages
