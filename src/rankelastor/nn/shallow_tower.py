"""A network beside a shallow tower of fields that it does not see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.around_network import AroundNetwork
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.projection import Projection


class WithShallowTower(AroundNetwork):
    """network(other fields) + tower(flat(some fields)): embedded features -> logits (batch, task).

    Args:
        network: maps the other fields to logits.
        tower: maps the flat fields of the tower to (batch, task).
        places: indices of the fields of the tower.
        num_fields: number of all fields.

    Example:
        >>> class Body(nn.Module):
        ...     def forward(self, embedded):
        ...         return embedded.fields.sum(dim=(1, 2)).unsqueeze(1)
        >>> tower = Projection(in_dim=4, out_dim=1)
        >>> WithShallowTower(Body(), tower, places=[1], num_fields=3)(Embedded(torch.randn(2, 3, 4))).shape
        torch.Size([2, 1])

    Source: Zhao et al. 2019, Recommending What Video to Watch Next (RecSys), section 5.
    """

    kept: Tensor
    taken: Tensor

    def __init__(self, network: nn.Module, tower: Projection, *, places: Sequence[int], num_fields: int) -> None:
        super().__init__(network)
        self.tower = tower
        kept = [place for place in range(num_fields) if place not in places]
        self.register_buffer("kept", torch.tensor(kept), persistent=False)
        self.register_buffer("taken", torch.tensor(list(places)), persistent=False)

    @property
    def stages(self) -> Mapping[str, Sequence[nn.Module]]:
        """The stages of the network, then the tower."""
        return {**super().stages, "shallow tower": [self.tower]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task *part"]:
        """Compute the logits of embedded features."""
        fields = embedded.fields
        assert fields.shape[1] == len(self.kept) + len(self.taken), "as many fields as the tower was made for"
        logits: Tensor = self.network(embedded._replace(fields=fields.index_select(1, self.kept)))
        added: Tensor = self.tower(fields.index_select(1, self.taken).flatten(1))
        return logits + (added if logits.dim() == added.dim() else added.unsqueeze(2))
