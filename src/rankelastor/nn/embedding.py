"""Field embeddings: one vector a field, from one table with offsets."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn
from torch.nn import functional

from rankelastor.nn.init import EMBEDDING_STD
from rankelastor.nn.pooling import masked_mean
from rankelastor.nn.pretrained import PretrainedEmbedding

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
    """Embed features: (batch, numeric), (batch, categorical), (batch, position) -> (batch, field, embedding_dim).

    A categorical id looks up a row; all fields share one table, each with its own range of rows. Id 0 is padding:
    row 0, which is zero and stays zero. A sequence becomes the mean of the rows of its ids that are not padding.
    Ids of all features, of sequences too, are looked up at once. A numeric value x becomes x * w with one learned
    vector w for its field.

    Below, "id features" are the categorical ones followed by the sequences.

    Args:
        num_ids: for each id feature, how many ids it has, padding included.
        num_numeric: number of numeric features.
        embedding_dim: width of an embedding.
        order: for each output field, its place in the concatenation of numeric and id features; None keeps numeric
            features first.
        max_lengths: of the last id features, which are sequences.
        shares: from id features to the one whose rows they use.
        pretrained: from id features to the width of the vectors that take the place of their rows, and whether these
            are trained.

    Example:
        >>> embed = FieldEmbedding(num_ids=[3, 5], num_numeric=1, embedding_dim=4)
        >>> embed(torch.tensor([[1, 4], [0, 2]]), torch.tensor([[0.5], [2.0]])).shape
        torch.Size([2, 3, 4])
        >>> embed.table.shape  # one shared padding row, 2 rows, 4 rows
        torch.Size([7, 4])
        >>> embed = FieldEmbedding(num_ids=[3, 3], num_numeric=0, embedding_dim=4, max_lengths=[2], shares={1: 0})
        >>> embed(torch.tensor([[1]]), torch.empty(1, 0), torch.tensor([[1, 2]])).shape, embed.table.shape
        (torch.Size([1, 2, 4]), torch.Size([3, 4]))

    Source: initial values N(0, 1e-4) and Xavier normal as in the code published with arXiv 2605.23191.
    """

    offsets: Tensor
    in_table: Tensor
    order: Tensor | None

    def __init__(
        self,
        *,
        num_ids: Sequence[int],
        num_numeric: int,
        embedding_dim: int,
        order: Sequence[int] | None = None,
        max_lengths: Sequence[int] = (),
        shares: Mapping[int, int] | None = None,
        pretrained: Mapping[int, tuple[int, bool]] | None = None,
    ) -> None:
        super().__init__()
        self.num_categorical = len(num_ids) - len(max_lengths)
        self.max_lengths = list(max_lengths)
        self._owners = [(shares or {}).get(feature, feature) for feature in range(len(num_ids))]
        self.pretrained = nn.ModuleDict(
            {
                str(feature): PretrainedEmbedding(
                    num_ids=num_ids[feature], dim=dim, embedding_dim=embedding_dim, trained=trained
                )
                for feature, (dim, trained) in (pretrained or {}).items()
            }
        )
        self.row_ranges = self._row_ranges(num_ids)
        self._register_columns(order)
        self.table = nn.Parameter(torch.empty(self._num_rows(num_ids), embedding_dim))
        self.numeric_vectors = nn.Parameter(torch.empty(num_numeric, embedding_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Published initial values: rows N(0, 1e-4), padding zero, numeric vectors Xavier normal (1 -> e)."""
        nn.init.normal_(self.table, std=EMBEDDING_STD)
        nn.init.normal_(self.numeric_vectors, std=(2.0 / (1 + self.numeric_vectors.shape[1])) ** 0.5)
        with torch.no_grad():
            self.table[0].zero_()

    @staticmethod
    def ids(
        categorical: Integer[Tensor, "batch categorical"], sequence: Integer[Tensor, "batch position"] | None
    ) -> Integer[Tensor, "batch column"]:
        """All ids of some examples: those of the categorical features, then the positions of the sequences."""
        return categorical if sequence is None else torch.cat([categorical, sequence], dim=1)

    def rows(self, ids: Integer[Tensor, "batch column"]) -> Integer[Tensor, "batch column"]:
        """Rows of the table for ids: padding keeps row 0, every other id moves into its feature's range.

        The columns are the categorical features, then the positions of the sequences. Ids with pretrained vectors
        have no row here and get row 0.
        """
        has_row = (ids != 0) & self.in_table if self.pretrained else ids != 0
        return torch.where(has_row, ids + self.offsets, 0)

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
        sequence: Integer[Tensor, "batch position"] | None = None,
    ) -> Float[Tensor, "batch field embedding_dim"]:
        """Embeddings of the features, in declared order. ``sequence`` holds all sequences side by side."""
        ids = self.ids(categorical, sequence)
        looked_up = self.look_up(self.rows(ids))
        if self.max_lengths or self.pretrained:
            looked_up = self._one_a_feature(looked_up, ids)
        if not len(self.numeric_vectors):
            return looked_up if self.order is None else looked_up.index_select(1, self.order)
        scaled = numeric.unsqueeze(-1) * self.numeric_vectors
        embeddings = torch.cat([scaled, looked_up], dim=1)
        return embeddings if self.order is None else embeddings.index_select(1, self.order)

    def _one_a_feature(
        self, looked_up: Float[Tensor, "batch column dim"], ids: Integer[Tensor, "batch column"]
    ) -> Float[Tensor, "batch feature dim"]:
        """Put pretrained vectors in their places, and take the mean over each sequence."""
        widths = [self.num_categorical, *self.max_lengths]
        single, *lists = zip(looked_up.split(widths, dim=1), ids.split(widths, dim=1), strict=True)
        features = [self._with_pretrained(*single)]
        for place, (embeddings, elements) in enumerate(lists, start=self.num_categorical):
            vectors = self._pretrained_of(place)
            pooled = masked_mean(embeddings if vectors is None else vectors(elements), elements)
            features.append(pooled.unsqueeze(1))
        return torch.cat(features, dim=1)

    def _with_pretrained(
        self, embeddings: Float[Tensor, "batch categorical dim"], ids: Integer[Tensor, "batch categorical"]
    ) -> Float[Tensor, "batch categorical dim"]:
        for place in range(self.num_categorical):
            vectors = self._pretrained_of(place)
            if vectors is not None:
                column = torch.tensor([place], device=embeddings.device)
                embeddings = embeddings.index_copy(1, column, vectors(ids[:, place : place + 1]).to(embeddings.dtype))
        return embeddings

    def _pretrained_of(self, feature: int) -> nn.Module | None:
        return dict(self.pretrained.items()).get(str(self._owners[feature]))

    def _num_rows(self, num_ids: Sequence[int]) -> int:
        return 1 + sum(num_ids[feature] - 1 for feature in self._with_own_rows())

    def _with_own_rows(self) -> list[int]:
        owners = [feature for feature, owner in enumerate(self._owners) if feature == owner]
        return [feature for feature in owners if str(feature) not in self.pretrained]

    def _row_ranges(self, num_ids: Sequence[int]) -> list[slice | None]:
        """For each id feature, the rows of its ids 1, 2, ...; None where it has pretrained vectors instead."""
        ranges: dict[int, slice] = {}
        stop = 1
        for feature in self._with_own_rows():
            ranges[feature] = slice(stop, stop + num_ids[feature] - 1)
            stop = ranges[feature].stop
        return [ranges.get(owner) for owner in self._owners]

    def _register_columns(self, order: Sequence[int] | None) -> None:
        """Offsets from ids to rows, one a column of ids, and which columns have rows at all."""
        widths = [*[1] * self.num_categorical, *self.max_lengths]
        columns = [rows for rows, width in zip(self.row_ranges, widths, strict=True) for _ in range(width)]
        offsets = [rows.start - 1 if rows else 0 for rows in columns]
        self.register_buffer("offsets", torch.tensor(offsets, dtype=torch.int64), persistent=False)
        in_table = [rows is not None for rows in columns]
        self.register_buffer("in_table", torch.tensor(in_table, dtype=torch.bool), persistent=False)
        in_place = order is None or list(order) == sorted(order)
        self.register_buffer("order", None if in_place else torch.tensor(order), persistent=False)
