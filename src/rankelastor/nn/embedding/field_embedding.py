"""Field embeddings: one vector per feature, from one table with offsets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn
from torch.nn import functional

from rankelastor.nn.embedding.embedded import Embedded, EmbeddedSequence
from rankelastor.nn.embedding.piecewise_linear import PiecewiseLinear
from rankelastor.nn.embedding.pretrained import PretrainedEmbedding
from rankelastor.nn.embedding.reordered import reordered
from rankelastor.nn.embedding.rows_elsewhere import RowsElsewhere, draw_in_pieces
from rankelastor.nn.embedding.value_rates import ValueRates
from rankelastor.nn.init import EMBEDDING_STD
from rankelastor.nn.sequence.pooling import masked_mean
from rankelastor.schema import Batch


class FieldEmbedding(nn.Module):
    """Embed the features of a batch: ids and numbers -> one vector of ``embedding_dim`` per feature.

    The work is split into three calls, so that a trainer can take the gradient of the rows found, and a sharded table
    can replace ``look_up``: ``rows_of(batch)`` -> ``look_up(rows)`` -> ``assemble(found, batch)``.

    A categorical id looks up a row; all fields share one table, each with its own range of rows. Id 0 is padding:
    row 0, which is zero and stays zero. A sequence becomes the mean of the rows of its ids that are not padding.
    Ids of all features, of sequences too, are looked up at once. A numeric value x becomes x * w with one learned
    vector w for its field; a position among edges is interpolated between the rows of two edges.

    Below, "id features" are the categorical ones followed by the sequences.

    Args:
        num_ids: number of ids of each id feature, padding included.
        num_numeric: number of numeric features.
        embedding_dim: width of an embedding.
        order: for each output field, its index in the concatenation of numeric and id features; None keeps numeric
            features first.
        max_lengths: maximum lengths of the sequences, which are the last id features.
        shares: maps an id feature to the one whose rows it uses.
        pretrained: maps an id feature to the width of the vectors that replace its rows, and to whether these
            are trained.
        served_ids: the id that takes the place of every id of a categorical feature, by feature, in evaluation mode.
        served_numbers: the number that takes the place of those of a numeric feature, by feature, in evaluation mode.
        num_edges: number of edges of each numeric feature whose numbers are positions among edges.
        numbers: makes the layer, for a ``num_numbers`` and an ``embedding_dim``, that embeds the other numbers in place
            of scaled vectors.
        initial_std: standard deviation of the initial rows.
        elsewhere: what holds the rows in its place; ``table`` is then empty. None: the rows are ``table``.
        value_rates: gives the offset of the logits for a batch that brings none; None: there is no offset.

    Example:
        >>> def batch(ids, numbers, sequence=None):
        ...     sequence = None if sequence is None else torch.tensor(sequence)
        ...     return Batch(
        ...         categorical=torch.tensor(ids),
        ...         numeric=torch.tensor(numbers),
        ...         labels=None,
        ...         group=None,
        ...         sequence=sequence,
        ...     )
        >>> embed = FieldEmbedding(num_ids=[3, 5], num_numeric=1, embedding_dim=4)
        >>> embed(batch([[1, 4], [0, 2]], [[0.5], [2.0]])).fields.shape
        torch.Size([2, 3, 4])
        >>> embed.table.shape  # one shared padding row, 2 rows, 4 rows
        torch.Size([7, 4])
        >>> embed = FieldEmbedding(num_ids=[3, 3], num_numeric=0, embedding_dim=4, max_lengths=[2], shares={1: 0})
        >>> embedded = embed(batch([[1]], [[]], [[1, 2]]))
        >>> embedded.fields.shape, embedded.sequences[0].elements.shape, embed.table.shape
        (torch.Size([1, 2, 4]), torch.Size([1, 2, 4]), torch.Size([3, 4]))

    Source: initial rows N(0, 1e-4) and Xavier normal as in the code published with arXiv 2605.23191.
    """

    offsets: Tensor
    in_table: Tensor
    order: Tensor | None
    places: Tensor | None
    number_order: Tensor | None

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
        served_ids: Mapping[int, int] | None = None,
        served_numbers: Mapping[int, float] | None = None,
        num_edges: Mapping[int, int] | None = None,
        numbers: Callable[..., nn.Module] | None = None,
        initial_std: float = EMBEDDING_STD,
        elsewhere: RowsElsewhere | None = None,
        value_rates: ValueRates | None = None,
    ) -> None:
        super().__init__()
        self.value_rates = value_rates
        self._initial_std = initial_std
        self._served_ids = dict(served_ids or {})
        self._served_numbers = dict(served_numbers or {})
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
        num_rows = self._num_rows(num_ids)
        self.piecewise = self._piecewise(num_numeric, dict(num_edges or {}), first_row=num_rows)
        num_rows += 0 if self.piecewise is None else self.piecewise.num_rows
        self.num_rows = num_rows
        self.embedding_dim = embedding_dim
        self.elsewhere = elsewhere
        self.table = nn.Parameter(torch.empty(num_rows if elsewhere is None else 0, embedding_dim))
        num_scaled = len(self._scaled) if numbers is None else 0
        self.numeric_vectors = nn.Parameter(torch.empty(num_scaled, embedding_dim))
        self.numbers = None
        if numbers is not None and self._scaled:
            self.numbers = numbers(num_numbers=len(self._scaled), embedding_dim=embedding_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values: rows N(0, initial_std), padding zero, numeric vectors Xavier normal (1 -> e)."""
        if self.elsewhere is None:
            nn.init.normal_(self.table, std=self._initial_std)
            with torch.no_grad():
                self.table[0].zero_()
        else:
            for first, rows in draw_in_pieces(self.num_rows, self.embedding_dim, std=self._initial_std):
                self.elsewhere.fill(first, rows)
        nn.init.normal_(self.numeric_vectors, std=(2.0 / (1 + self.numeric_vectors.shape[1])) ** 0.5)

    def rows_of(self, batch: Batch) -> Integer[Tensor, "batch column"]:
        """Find the row of the table for each id of a batch.

        The columns are the categorical features, then the positions of the sequences, then two for each number that is
        a position among edges. Padding maps to row 0, every other id into the range of its feature. Ids with
        pretrained vectors have no row and get row 0.
        """
        batch = self._as_served(batch)
        ids = _join_ids(batch)
        has_row = (ids != 0) & self.in_table if self.pretrained else ids != 0
        rows = torch.where(has_row, ids + self.offsets, 0)
        if self.piecewise is None:
            return rows
        return torch.cat([rows, self.piecewise.rows_of(batch.numeric[:, self._interpolated])], dim=1)

    def look_up(self, rows: Integer[Tensor, "*batch"]) -> Float[Tensor, "*batch embedding_dim"]:
        """Look up rows of the table; the padding row gets no gradient, and rows that lie elsewhere get none."""
        if self.elsewhere is not None:
            return self.elsewhere(rows)
        return functional.embedding(rows, self.table, padding_idx=0)

    def assemble(self, found: Float[Tensor, "batch column embedding_dim"], batch: Batch) -> Embedded:
        """Combine the rows found with pretrained vectors, numbers and the pooling of sequences.

        Args:
            found: result of ``look_up(rows_of(batch))``.
            batch: the ids and numbers.
        """
        batch = self._as_served(batch)
        sequences = self._sequences(found, batch)
        # A slice is taken only where it is needed, since its gradient is a copy.
        single = found[:, : self.num_categorical] if sequences or self.piecewise is not None else found
        if self.pretrained:
            single = self._insert_pretrained(single, batch.categorical)
        pooled = [masked_mean(elements, mask).unsqueeze(1) for elements, mask in sequences]
        parts = [*self._numbers(found, batch.numeric), single, *pooled]
        if self.order is not None and self.places is not None:
            fields = reordered(parts, self.order, self.places)
        else:
            fields = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
        return Embedded(fields, sequences, self._offset(batch))

    def _offset(self, batch: Batch) -> Float[Tensor, "batch task"] | None:
        if self.value_rates is None:
            return None
        offset: Tensor = self.value_rates(batch) if batch.offset is None else batch.offset
        return offset

    @property
    def num_columns(self) -> int:
        """Number of rows that are looked up for an example."""
        return len(self.offsets) + 2 * len(self._interpolated)

    def forward(self, batch: Batch) -> Embedded:
        """Embed a batch: ``assemble(look_up(rows_of(batch)), batch)``."""
        return self.assemble(self.look_up(self.rows_of(batch)), batch)

    def _as_served(self, batch: Batch) -> Batch:
        """Replace what has a fixed value when scoring; while training nothing is."""
        if self.training or not (self._served_ids or self._served_numbers):
            return batch
        return replace(
            batch,
            categorical=_with_columns(batch.categorical, self._served_ids),
            numeric=_with_columns(batch.numeric, self._served_numbers),
        )

    def _numbers(
        self, found: Float[Tensor, "batch column dim"], numbers: Float[Tensor, "batch numeric"]
    ) -> list[Float[Tensor, "batch numeric dim"]]:
        """Compute the vectors of the numeric features: none, or one tensor in declared order."""
        if self.piecewise is None:
            return [self._scale(numbers)] if self._scaled else []
        vectors = self.piecewise(found[:, -2 * len(self._interpolated) :], numbers[:, self._interpolated])
        if self.number_order is None:
            return [vectors]
        both = torch.cat([self._scale(numbers[:, self._scaled]), vectors], dim=1)
        return [both.index_select(1, self.number_order)]

    def _scale(self, numbers: Float[Tensor, "batch number"]) -> Float[Tensor, "batch number dim"]:
        """Embed the numbers that are no positions among edges."""
        if self.numbers is None:
            return numbers.unsqueeze(-1) * self.numeric_vectors
        vectors: Tensor = self.numbers(numbers)
        return vectors

    def _sequences(self, found: Float[Tensor, "batch column dim"], batch: Batch) -> tuple[EmbeddedSequence, ...]:
        if batch.sequence is None or not self.max_lengths:
            return ()
        widths = [*self.max_lengths, *([2] * len(self._interpolated))]
        found_elements = found[:, self.num_categorical :].split(widths, dim=1)[: len(self.max_lengths)]
        ids = batch.sequence.split(self.max_lengths, dim=1)
        sequences = []
        for feature, (elements, element_ids) in enumerate(zip(found_elements, ids, strict=True), self.num_categorical):
            vectors = self._pretrained_of(feature)
            vectors_or_rows = elements if vectors is None else vectors(element_ids)
            sequences.append(EmbeddedSequence(vectors_or_rows, element_ids != 0))
        return tuple(sequences)

    def _insert_pretrained(
        self, embeddings: Float[Tensor, "batch categorical dim"], ids: Integer[Tensor, "batch categorical"]
    ) -> Float[Tensor, "batch categorical dim"]:
        for feature in range(self.num_categorical):
            vectors = self._pretrained_of(feature)
            if vectors is not None:
                column = torch.full((1,), feature, device=embeddings.device)
                embeddings = embeddings.index_copy(
                    1, column, vectors(ids[:, feature : feature + 1]).to(embeddings.dtype)
                )
        return embeddings

    def _pretrained_of(self, feature: int) -> nn.Module | None:
        return dict(self.pretrained.items()).get(str(self._owners[feature]))

    def _num_rows(self, num_ids: Sequence[int]) -> int:
        return 1 + sum(num_ids[feature] - 1 for feature in self._features_with_rows())

    def _features_with_rows(self) -> list[int]:
        owners = [feature for feature, owner in enumerate(self._owners) if feature == owner]
        return [feature for feature in owners if str(feature) not in self.pretrained]

    def _row_ranges(self, num_ids: Sequence[int]) -> list[slice | None]:
        """Find the rows of the ids 1, 2, ... of each id feature; None where it has pretrained vectors instead."""
        ranges: dict[int, slice] = {}
        stop = 1
        for feature in self._features_with_rows():
            ranges[feature] = slice(stop, stop + num_ids[feature] - 1)
            stop = ranges[feature].stop
        return [ranges.get(owner) for owner in self._owners]

    def _piecewise(self, num_numeric: int, num_edges: Mapping[int, int], *, first_row: int) -> PiecewiseLinear | None:
        """Divide the numeric features into those that scale a vector and those that lie among edges."""
        self._interpolated = sorted(num_edges)
        self._scaled = [feature for feature in range(num_numeric) if feature not in num_edges]
        order = [*self._scaled, *self._interpolated]
        in_place = not self._scaled or not self._interpolated
        places = None if in_place else torch.tensor([order.index(feature) for feature in range(num_numeric)])
        self.register_buffer("number_order", places, persistent=False)
        if not num_edges:
            return None
        return PiecewiseLinear(num_edges=[num_edges[feature] for feature in self._interpolated], first_row=first_row)

    def _register_columns(self, order: Sequence[int] | None) -> None:
        """Register the offset from ids to rows of each id column, and which columns have rows at all."""
        widths = [*[1] * self.num_categorical, *self.max_lengths]
        columns = [rows for rows, width in zip(self.row_ranges, widths, strict=True) for _ in range(width)]
        offsets = [rows.start - 1 if rows else 0 for rows in columns]
        self.register_buffer("offsets", torch.tensor(offsets, dtype=torch.int64), persistent=False)
        in_table = [rows is not None for rows in columns]
        self.register_buffer("in_table", torch.tensor(in_table, dtype=torch.bool), persistent=False)
        in_place = order is None or list(order) == sorted(order)
        for name, places in {"order": order, "places": _inverse(order or ())}.items():
            self.register_buffer(name, None if in_place else torch.tensor(places), persistent=False)


def _inverse(order: Sequence[int]) -> list[int]:
    return sorted(range(len(order)), key=order.__getitem__)


def _with_columns(values: Tensor, fixed: Mapping[int, float]) -> Tensor:
    if not fixed:
        return values
    changed = values.clone()
    for column, value in fixed.items():
        changed[:, column] = value
    return changed


def _join_ids(batch: Batch) -> Integer[Tensor, "batch column"]:
    """Join all ids of a batch: those of the categorical features, then the positions of the sequences."""
    return batch.categorical if batch.sequence is None else torch.cat([batch.categorical, batch.sequence], dim=1)
