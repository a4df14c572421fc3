"""Rows of an embedding, and their places in tables."""

from __future__ import annotations

import pytest
import torch

from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.sharding.layout import RowTable, TableLayout


def layout() -> TableLayout:
    """Three fields, of which the last shares the rows of the first, and a number among four edges and a blank."""
    embedding = FieldEmbedding(
        num_ids=[4, 6, 4], num_numeric=1, embedding_dim=2, max_lengths=[3], shares={2: 0}, num_edges={0: 4}
    )
    return TableLayout.of(embedding, ["item", "site", "past"])


def test_each_field_with_rows_of_its_own_is_a_table_and_the_edges_are_one() -> None:
    found = [(table.name, table.start, table.num_rows) for table in layout().tables]
    assert found == [("item", 1, 3), ("site", 4, 5), ("edges of numbers", 9, 5)]
    assert layout().num_rows == 14


@pytest.mark.parametrize("num_rows", [1, 2, 3, 10, 999, 4096])
def test_each_row_has_a_place_of_its_own(num_rows: int) -> None:
    table = RowTable("site", 5, num_rows)
    places = table.places(torch.arange(5, 5 + num_rows))
    assert sorted(places.tolist()) == list(range(num_rows))


def test_frequent_rows_are_spread_over_any_number_of_shards() -> None:
    places = RowTable("site", 0, 100_000).places(torch.arange(1000))
    for shards in (2, 3, 8, 64):
        counts = torch.bincount(places * shards // 100_000, minlength=shards)
        assert counts.max() <= 1.2 * 1000 / shards + 1


def test_rows_are_counted_and_placed_by_table() -> None:
    found = layout()
    rows = torch.tensor([2, 3, 4, 8, 13])
    counts = found.counts(rows)
    assert counts.tolist() == [2, 2, 1]
    item, site, edges = found.tables
    wanted = [*item.places(rows[:2]), *site.places(rows[2:4]), *edges.places(rows[4:])]
    assert found.places(rows, counts).tolist() == [int(each) for each in wanted]
    assert found.counts(rows[:0]).tolist() == [0, 0, 0]


def test_a_stretch_of_rows_lies_in_the_tables_that_it_overlaps() -> None:
    assert list(layout().overlaps(0, 5)) == [(0, 1, 4), (1, 4, 5)]
    assert list(layout().overlaps(9, 5)) == [(2, 9, 14)]
