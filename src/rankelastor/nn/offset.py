"""A network whose logits begin elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.embedding.embedded import Embedded


class WithOffset(nn.Module):
    """network(embedded) + embedded.offset: the network learns what the offset leaves.

    Args:
        network: maps embedded features to logits.

    Example:
        >>> import torch
        >>> class Body(nn.Module):
        ...     def forward(self, embedded):
        ...         return embedded.fields.sum(dim=(1, 2)).unsqueeze(1)
        >>> WithOffset(Body())(Embedded(torch.ones(2, 3, 1), (), torch.tensor([[0.5], [-3.0]]))).tolist()
        [[3.5], [0.0]]
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

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task *part"]:
        """Compute the logits of embedded features; those of parts of a network begin at the offset, too."""
        logits: Tensor = self.network(embedded)
        assert embedded.offset is not None, "an embedding with value rates gives it"
        return logits + (embedded.offset if logits.dim() == embedded.offset.dim() else embedded.offset.unsqueeze(2))
