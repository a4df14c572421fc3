"""A network whose logits begin elsewhere."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from rankelastor.nn.around_network import AroundNetwork
from rankelastor.nn.embedding.embedded import Embedded


class WithOffset(AroundNetwork):
    """network(embedded) + embedded.offset: the network learns what the offset leaves.

    Args:
        network: maps embedded features to logits.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> class Body(nn.Module):
        ...     def forward(self, embedded):
        ...         return embedded.fields.sum(dim=(1, 2)).unsqueeze(1)
        >>> WithOffset(Body())(Embedded(torch.ones(2, 3, 1), (), torch.tensor([[0.5], [-3.0]]))).tolist()
        [[3.5], [0.0]]
    """

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task *part"]:
        """Compute the logits of embedded features; those of parts of a network begin at the offset, too."""
        logits: Tensor = self.network(embedded)
        assert embedded.offset is not None, "an embedding with value rates gives it"
        return logits + (embedded.offset if logits.dim() == embedded.offset.dim() else embedded.offset.unsqueeze(2))
