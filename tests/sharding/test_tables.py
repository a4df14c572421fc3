"""Sharded tables give and update the rows of one table."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sharding.process_ranks import needs_torchrec, on_processes

CASES = [("row_wise", 8), ("row_wise", 10), ("table_wise", 4), ("auto", 8), ("column_wise", 8)]


@pytest.fixture(scope="module")
def ranks() -> list[list[dict[str, Any]]]:
    return on_processes(2, "tests.sharding.table_steps:compare", CASES)


@needs_torchrec
@pytest.mark.parametrize("place", range(len(CASES)))
def test_two_processes_update_rows_as_one_table_is_updated(place: int, ranks: list[list[dict[str, Any]]]) -> None:
    plan, _ = CASES[place]
    for rank in ranks:
        assert rank[place]["found_before"]
        assert rank[place]["moved"] > 0.1
        if plan != "column_wise":  # has a sum of squares for each half of a row
            assert rank[place]["error"] < 1e-6
