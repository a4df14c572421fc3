"""How tables are divided, and what cannot be."""

from __future__ import annotations

import pytest
from tests.sharding.table_steps import layout_of

from rankelastor.errors import SettingsError
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.sharding.layout import TableLayout
from rankelastor.sharding.plan import check_plan, divide, shown


def test_rows_are_divided_among_all_and_small_tables_stay_whole() -> None:
    layout = layout_of(8)  # items with 11 rows, sites with 5, flags with 1, and 5 edges
    assert shown(divide("row_wise", layout, size=2), layout) == {
        "item": "row_wise",
        "site": "row_wise",
        "flag": "table_wise in process 1",
        "edges of numbers": "row_wise",
    }


def test_whole_tables_go_to_the_process_with_fewest_rows() -> None:
    ranks = [plan.rank for plan in divide("table_wise", layout_of(8), size=2)]
    assert ranks == [0, 1, 1, 1]  # 11 rows, and 5 + 5 + 1


def test_narrow_rows_are_not_divided_by_columns() -> None:
    narrow = (
        r"rows must have a width that is a multiple of 16 for training.distributed.plan=column_wise with 4 processes "
        r"\(4 numbers for each at least\), but the model's have 10; try training.distributed.plan=row_wise, or "
        r"model.embedding_dim=16"
    )
    with pytest.raises(SettingsError, match=narrow):
        divide("column_wise", layout_of(10), size=4)
    assert {plan.kind for plan in divide("column_wise", layout_of(16), size=4)} == {"column_wise", "table_wise"}


def test_there_must_be_a_row_for_each_process() -> None:
    numbers = TableLayout.of(FieldEmbedding(num_ids=[], num_numeric=2, embedding_dim=4), [])
    with pytest.raises(SettingsError, match=r"an embedding row for each of 2 processes .* but have none; try"):
        check_plan("row_wise", numbers, size=2)
    with pytest.raises(SettingsError, match=r"for each of 23 processes .* but have 22"):
        check_plan("row_wise", layout_of(4), size=23)
