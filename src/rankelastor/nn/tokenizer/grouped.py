"""Grouped tokenizer: each named group of fields becomes one token."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.projection import Projection


class GroupedTokenizer(nn.Module):
    """Each group of fields has its own MLP to one token.

    Args:
        groups: for each token, the indices of its fields; every field stands in exactly one group.

    Example:
        >>> tokenizer = GroupedTokenizer(groups=[[0, 2], [1]], embedding_dim=4, token_dim=5)
        >>> tokenizer(torch.randn(2, 3, 4)).shape
        torch.Size([2, 2, 5])

    Source: RankMixer, arXiv 2507.15551, section 3.2 (semantic grouping).
    """

    order: Tensor

    def __init__(
        self,
        *,
        groups: Sequence[Sequence[int]],
        embedding_dim: int,
        token_dim: int,
        hidden_dims: Sequence[int] = (),
        activation: str = "relu",
        norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        members = sorted(field for group in groups for field in group)
        if members != list(range(len(members))):
            raise ValueError(f"every field must stand in exactly one group, but the groups hold fields {members}")
        self.widths = [len(group) for group in groups]
        # an index tensor, since a list would be copied to the device at every call
        self.register_buffer("order", torch.tensor([field for group in groups for field in group]), persistent=False)
        self.norm = RMSNorm(len(members) * embedding_dim)
        self.mlps = nn.ModuleList(
            Projection(
                in_dim=len(group) * embedding_dim,
                hidden_dims=hidden_dims,
                out_dim=token_dim,
                activation=activation,
                norm=norm,
                dropout=dropout,
            )
            for group in groups
        )

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Make tokens of field embeddings."""
        normed = self.norm(embeddings.flatten(1)).view_as(embeddings)
        # Groups differ in width, so their maps cannot be one batched product.
        groups = normed.index_select(1, self.order).split(self.widths, dim=1)
        tokens = [mlp(group.flatten(1)) for mlp, group in zip(self.mlps, groups, strict=True)]
        return torch.stack(tokens, dim=1)
