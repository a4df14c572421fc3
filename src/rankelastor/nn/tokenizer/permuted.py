"""Permuted tokenizer: whole fields, shuffled once, in near-even groups that read different embedding tables."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.per_token import PerTokenLinear
from rankelastor.nn.sizes import SizesDoNotFit


class PermutedTokenizer(nn.Module):
    """Token t = W_t (group t of the permuted fields) + b_t, each field's embedding from table t mod K.

    One permutation, drawn from a fixed seed, puts whole fields into T groups whose sizes differ by at most one.

    Args:
        num_fields: number of fields; at least T.
        embedding_dim: width of one field's embedding in one table.
        num_tables: number of embedding tables, K, which lie side by side.
        num_tokens: T.
        token_dim: D.
        seed: seed of the permutation.

    Example:
        >>> tokenizer = PermutedTokenizer(
        ...     num_fields=5, embedding_dim=4, num_tables=2, num_tokens=2, token_dim=3, seed=0
        ... )
        >>> [len(group) for group in tokenizer.groups], tokenizer(torch.randn(8, 5, 2 * 4)).shape
        ([3, 2], torch.Size([8, 2, 3]))

    Source: RankUp, arXiv 2604.17878 (random permutation of fields, several tables).

    Raises:
        SizesDoNotFit: there are more tokens than fields.
    """

    places: Tensor

    def __init__(
        self, *, num_fields: int, embedding_dim: int, num_tables: int, num_tokens: int, token_dim: int, seed: int
    ) -> None:
        super().__init__()
        if num_tokens > num_fields:
            raise SizesDoNotFit(
                f"num_tokens must leave at most {num_fields} groups for the {num_fields} fields, but leaves "
                f"{num_tokens}; try a num_tokens that is smaller by {num_tokens - num_fields}"
            )
        self.num_fields = num_fields
        self.embedding_dim = embedding_dim
        self.num_tokens = num_tokens
        self.groups = permuted_groups(num_fields, num_tokens, seed=seed)
        longest = len(self.groups[0])
        blank = num_tables * num_fields  # a row of zeros behind all fields of all tables
        places = [
            [(token % num_tables) * num_fields + field for field in group] + [blank] * (longest - len(group))
            for token, group in enumerate(self.groups)
        ]
        self.register_buffer("places", torch.tensor(places).flatten(), persistent=False)
        self.maps = PerTokenLinear(num_tokens=num_tokens, in_dim=longest * embedding_dim, out_dims=[token_dim])

    def forward(self, embeddings: Float[Tensor, "batch field width"]) -> Float[Tensor, "batch token dim"]:
        """Compute the tokens; the tables stand side by side in each field's embedding."""
        assert embeddings.shape[1] == self.num_fields, "as many fields as the tokenizer was made for"
        tables = embeddings.split(self.embedding_dim, dim=2)
        rows = torch.cat([*tables, torch.zeros_like(tables[0][:, :1])], dim=1)
        tokens: Tensor = self.maps(rows.index_select(1, self.places).flatten(1).unflatten(1, (self.num_tokens, -1)))
        return tokens


def permuted_groups(num_fields: int, num_groups: int, *, seed: int) -> list[list[int]]:
    """Permute the fields and cut them into groups, the larger ones first.

    Example:
        >>> sorted(field for group in permuted_groups(5, 2, seed=1) for field in group)
        [0, 1, 2, 3, 4]
    """
    generator = torch.Generator(device="cpu").manual_seed(seed)
    order = torch.randperm(num_fields, generator=generator, device="cpu").tolist()
    small, num_large = divmod(num_fields, num_groups)
    groups: list[list[int]] = []
    for group in range(num_groups):
        size = small + (group < num_large)
        groups.append(order[:size])
        order = order[size:]
    return groups
