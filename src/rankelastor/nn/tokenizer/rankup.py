"""The tokens of RankUp: groups of permuted fields, a computed global token, a crossed one, and one for each task."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.init import init_linear_
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.tokenizer.permuted import PermutedTokenizer


class RankUpTokenizer(nn.Module):
    """Tokens of the groups, then g = func(all fields), Proj(v_a o v_b) and a learned token for each task.

    The tables of the groups and, behind them, the global token's own lie side by side in each field's embedding; all
    go through one RMSNorm, as in every tokenizer here.

    Args:
        groups: maps the embeddings of the groups' tables to tokens.
        global_token: maps (batch, field, embedding_dim) of its own table to (batch, dim), or None.
        crossed: places of two fields, whose embeddings of the first table are multiplied; empty: no such token.
        num_tasks: number of learned tokens.
        num_fields: number of fields.
        embedding_dim: width of one field's embedding in one table.
        num_tables: number of tables, that of the global token included.
        token_dim: D.

    Source: RankUp, arXiv 2604.17878.
    """

    def __init__(
        self,
        *,
        groups: PermutedTokenizer,
        global_token: nn.Module | None,
        crossed: Sequence[int],
        num_tasks: int,
        num_fields: int,
        embedding_dim: int,
        num_tables: int,
        token_dim: int,
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.norm = RMSNorm(num_fields * num_tables * embedding_dim)
        self.groups = groups
        self.global_token = global_token
        self.crossed = tuple(crossed)
        self.cross_map = nn.Linear(embedding_dim, token_dim) if crossed else None
        self.tasks = nn.Parameter(torch.empty(num_tasks, token_dim))
        init_linear_(self)
        nn.init.xavier_normal_(self.tasks)

    def forward(self, embeddings: Float[Tensor, "batch field width"]) -> Float[Tensor, "batch token dim"]:
        """Compute the tokens, those of the tasks last."""
        normed = self.norm(embeddings.flatten(1)).view_as(embeddings)
        tables = normed.split(self.embedding_dim, dim=2)
        if self.global_token is None:
            tokens = [self.groups(normed)]
        else:
            of_groups = normed[..., : -self.embedding_dim]
            tokens = [self.groups(of_groups), self.global_token(tables[-1]).unsqueeze(1)]
        if self.cross_map is not None:
            first, second = self.crossed
            tokens.append(self.cross_map(tables[0][:, first] * tables[0][:, second]).unsqueeze(1))
        tasks = self.tasks.to(tokens[0].dtype).expand(embeddings.shape[0], -1, -1)
        return torch.cat([*tokens, tasks], dim=1)
