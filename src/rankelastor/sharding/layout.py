"""Which rows of an embedding stand at which place of which table that is sharded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Int64
from torch import Tensor

from rankelastor.nn.embedding.field_embedding import FieldEmbedding

_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class RowTable:
    """A stretch of rows of an embedding that is sharded as one table.

    Row ``start + i`` stands at place ``i * stride mod num_rows``. Ids of a field are ordered by how frequent they are,
    so that without the stride the first shard would get most look-ups. The places depend on the number of rows alone,
    and so hold for any number of processes.

    Attributes:
        name: what the rows are, for people.
        start: first row.
        num_rows: number of rows.

    Example:
        >>> table = RowTable("site", start=1, num_rows=10)
        >>> table.places(torch.arange(1, 11)).tolist()
        [0, 7, 4, 1, 8, 5, 2, 9, 6, 3]
    """

    name: str
    start: int
    num_rows: int

    @property
    def stride(self) -> int:
        """The distance between the places of neighbouring rows: near the golden section, coprime to their number."""
        stride = max(1, round(_GOLDEN * self.num_rows))
        while math.gcd(stride, self.num_rows) > 1:
            stride += 1
        return stride

    def places(self, rows: Int64[Tensor, " row"]) -> Int64[Tensor, " row"]:
        """Find the places of rows in the table."""
        return (rows - self.start) * self.stride % self.num_rows


@dataclass(frozen=True)
class TableLayout:
    """The tables of an embedding: one for each field that has rows of its own, and one for the edges of numbers.

    Together they hold all rows but the first, which is padding and stands in no table. Ids are numbered field by field,
    so that a batch's rows in order are those of the first table, then those of the second.

    Attributes:
        tables: the tables in the order of their rows.
        dim: width of a row.
    """

    tables: tuple[RowTable, ...]
    dim: int

    @classmethod
    def of(cls, embedding: FieldEmbedding, names: Sequence[str]) -> Self:
        """Find the tables of an embedding.

        Args:
            embedding: the embedding; its values are not looked at.
            names: names of its features with ids.
        """
        found: dict[int, RowTable] = {}
        for name, rows in zip(names, embedding.row_ranges, strict=True):
            if rows is not None and rows.stop > rows.start:
                found.setdefault(rows.start, RowTable(name, rows.start, rows.stop - rows.start))
        stop = max((table.start + table.num_rows for table in found.values()), default=1)
        if embedding.num_rows > stop:
            found[stop] = RowTable("edges of numbers", stop, embedding.num_rows - stop)
        return cls(tuple(found[start] for start in sorted(found)), embedding.embedding_dim)

    @classmethod
    def of_rows(cls, embedding: FieldEmbedding) -> Self:
        """Find the tables of an embedding, whose names do not matter."""
        return cls.of(embedding, [f"feature {place}" for place in range(len(embedding.row_ranges))])

    @property
    def num_rows(self) -> int:
        """Number of rows, the padding row included."""
        return 1 + sum(table.num_rows for table in self.tables)

    def counts(self, rows: Int64[Tensor, " row"]) -> Int64[Tensor, " table"]:
        """Count rows, which must be in order and without padding, by table."""
        bounds = torch.tensor([table.start for table in self.tables] + [self.num_rows])
        return torch.searchsorted(rows, bounds).diff()

    def places(self, rows: Int64[Tensor, " row"], counts: Int64[Tensor, " table"]) -> Int64[Tensor, " row"]:
        """Find the place of each row in its table.

        Args:
            rows: rows in order, without padding.
            counts: ``counts(rows)``.
        """
        parts = rows.split(counts.tolist())
        return torch.cat([table.places(part) for table, part in zip(self.tables, parts, strict=True)])

    def overlaps(self, first: int, count: int) -> Iterator[tuple[int, int, int]]:
        """Iterate over the tables that hold some of ``count`` rows from ``first`` on: index, first row, stop."""
        for index, table in enumerate(self.tables):
            start, stop = max(first, table.start), min(first + count, table.start + table.num_rows)
            if start < stop:
                yield index, start, stop
