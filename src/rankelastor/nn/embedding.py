"""Field embeddings: one vector a field, from one table with offsets."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn
from torch.nn import functional

from rankelastor.nn.init import EMBEDDING_STD

Lookups = list[tuple[Tensor, Tensor]]


class _Recording(threading.local):
    lookups: Lookups | None = None


_recording = _Recording()


@contextmanager
def lookups_recorded() -> Iterator[Lookups]:
    """Record this thread's lookups: (rows, what was found there). Found rows are leaves that take gradients.

    So the gradient of a lookup costs the examples and not the table, and many threads can work on parts of a batch.

    Example:
        >>> embed = FieldEmbedding(num_ids=[3], num_numeric=0, embedding_dim=4)
        >>> with lookups_recorded() as lookups:
        ...     embed(torch.tensor([[2]]), torch.empty(1, 0)).sum().backward()
        >>> [(rows.tolist(), found.grad.tolist()) for rows, found in lookups]
        [([[2]], [[[1.0, 1.0, 1.0, 1.0]]])]
        >>> embed.table.grad is None
        True
    """
    lookups: Lookups = []
    _recording.lookups = lookups
    try:
        yield lookups
    finally:
        _recording.lookups = None


class FieldEmbedding(nn.Module):
    """Embed numeric and categorical features: (batch, numeric), (batch, categorical) -> (batch, field, embedding_dim).

    A categorical id looks up a row; all fields share one table, each with its own range of rows. Id 0 is padding:
    row 0, which is zero and stays zero. A numeric value x becomes x * w with one learned vector w for its field.

    Args:
        num_ids: for each categorical feature, how many ids it has, padding included.
        num_numeric: number of numeric features.
        embedding_dim: width of an embedding.
        order: for each output field, its place in the concatenation of numeric and categorical features;
            None keeps numeric features first.

    Example:
        >>> embed = FieldEmbedding(num_ids=[3, 5], num_numeric=1, embedding_dim=4)
        >>> embed(torch.tensor([[1, 4], [0, 2]]), torch.tensor([[0.5], [2.0]])).shape
        torch.Size([2, 3, 4])
        >>> embed.table.shape  # one shared padding row, 2 rows, 4 rows
        torch.Size([7, 4])

    Source: initial values N(0, 1e-4) and Xavier normal as in the code published with arXiv 2605.23191.
    """

    offsets: Tensor
    order: Tensor | None

    def __init__(
        self, *, num_ids: Sequence[int], num_numeric: int, embedding_dim: int, order: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        num_rows = [ids - 1 for ids in num_ids]
        offsets = [sum(num_rows[:field]) for field in range(len(num_rows))]
        self.register_buffer("offsets", torch.tensor(offsets, dtype=torch.int64), persistent=False)
        in_place = order is None or list(order) == sorted(order)
        self.register_buffer("order", None if in_place else torch.tensor(order), persistent=False)
        self.table = nn.Parameter(torch.empty(1 + sum(num_rows), embedding_dim))
        self.numeric_vectors = nn.Parameter(torch.empty(num_numeric, embedding_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Published initial values: rows N(0, 1e-4), padding zero, numeric vectors Xavier normal (1 -> e)."""
        nn.init.normal_(self.table, std=EMBEDDING_STD)
        nn.init.normal_(self.numeric_vectors, std=(2.0 / (1 + self.numeric_vectors.shape[1])) ** 0.5)
        with torch.no_grad():
            self.table[0].zero_()

    def rows(self, categorical: Integer[Tensor, "batch categorical"]) -> Integer[Tensor, "batch categorical"]:
        """Rows of the table for ids: padding keeps row 0, every other id moves into its field's range."""
        return torch.where(categorical == 0, 0, categorical + self.offsets)

    def look_up(self, rows: Integer[Tensor, "*batch"]) -> Float[Tensor, "*batch embedding_dim"]:
        """Rows of the table; inside ``lookups_recorded`` they are leaves of the graph instead of parts of the table."""
        if _recording.lookups is None:
            return functional.embedding(rows, self.table, padding_idx=0)
        looked_up = functional.embedding(rows, self.table.detach()).requires_grad_()
        _recording.lookups.append((rows, looked_up))
        return looked_up

    def forward(
        self,
        categorical: Integer[Tensor, "batch categorical"],
        numeric: Float[Tensor, "batch numeric"],
    ) -> Float[Tensor, "batch field embedding_dim"]:
        """Embeddings of the features, in declared order."""
        looked_up = self.look_up(self.rows(categorical))
        if not len(self.numeric_vectors):
            return looked_up
        scaled = numeric.unsqueeze(-1) * self.numeric_vectors
        embeddings = torch.cat([scaled, looked_up], dim=1)
        return embeddings if self.order is None else embeddings.index_select(1, self.order)
