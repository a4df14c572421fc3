"""Grouped tokenizer: each named group of fields becomes one token."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated

import torch
from annotated_types import MinLen
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.projection import Projection
from rankelastor.nn.sizes import SizesDoNotFit

Groups = Annotated[Mapping[str, Annotated[Sequence[str], MinLen(1)]], MinLen(1)]


class GroupedTokenizer(nn.Module):
    """Each named group of fields has its own MLP to one token; every field is in exactly one group.

    Args:
        groups: for each token, a name and the names of its fields.
        field_names: names of all fields, in the order of their embeddings.
        embedding_dim: width of one field's embedding.
        num_tokens: T, the number of groups.
        token_dim: D.
        projection: makes each group's MLP for an ``in_dim`` and an ``out_dim``.

    Example:
        >>> groups = {"user": ["age", "city"], "item": ["price"]}
        >>> tokenizer = GroupedTokenizer(
        ...     groups=groups, field_names=["age", "price", "city"], embedding_dim=4, num_tokens=2, token_dim=5
        ... )
        >>> tokenizer(torch.randn(2, 3, 4)).shape
        torch.Size([2, 2, 5])

    Source: RankMixer, arXiv 2507.15551, section 3.2 (semantic grouping).
    """

    order: Tensor

    def __init__(
        self,
        *,
        groups: Groups,
        field_names: Sequence[str],
        embedding_dim: int,
        num_tokens: int,
        token_dim: int,
        projection: Callable[..., Projection] = Projection,
    ) -> None:
        super().__init__()
        _check_groups(groups, field_names, num_tokens=num_tokens)
        self.widths = [len(members) for members in groups.values()]
        places = [list(field_names).index(name) for members in groups.values() for name in members]
        # A list would be copied to the device at every call, so the order is an index tensor.
        self.register_buffer("order", torch.tensor(places), persistent=False)
        self.norm = RMSNorm(len(field_names) * embedding_dim)
        self.mlps = nn.ModuleList(projection(in_dim=width * embedding_dim, out_dim=token_dim) for width in self.widths)

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch token dim"]:
        """Compute the tokens: each group's projection of its normalised embeddings."""
        normed = self.norm(embeddings.flatten(1)).view_as(embeddings)
        # The groups differ in width, so their maps cannot be one batched product.
        groups = normed.index_select(1, self.order).split(self.widths, dim=1)
        tokens = [mlp(group.flatten(1)) for mlp, group in zip(self.mlps, groups, strict=True)]
        return torch.stack(tokens, dim=1)


def _check_groups(groups: Mapping[str, Iterable[str]], field_names: Sequence[str], *, num_tokens: int) -> None:
    if len(groups) != num_tokens:
        raise SizesDoNotFit(
            f"tokenizer.groups must name one group per token, but {len(groups)} groups and num_tokens {num_tokens} "
            f"were given; try num_tokens={len(groups)}"
        )
    grouped = [name for members in groups.values() for name in members]
    unknown, left_out = sorted(set(grouped) - set(field_names)), sorted(set(field_names) - set(grouped))
    twice = sorted({name for name in grouped if grouped.count(name) > 1})
    for fault, names in (("are unknown fields", unknown), ("are in no group", left_out), ("are listed twice", twice)):
        if names:
            raise SizesDoNotFit(f"tokenizer.groups must hold every field once, but {names} {fault}")
