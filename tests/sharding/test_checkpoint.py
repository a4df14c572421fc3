"""Tables that are written and read through PyTorch's distributed checkpoints, here by one process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.sharding.table_steps import first_rows, layout_of

from rankelastor.errors import RunError
from rankelastor.sharding.checkpoint import read_whole, write_tables
from rankelastor.sharding.table_parts import PATTERN, TablePart, holds_tables

LAYOUT = layout_of(6)
ROWS = first_rows(LAYOUT)
SUMS = torch.arange(float(LAYOUT.num_rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What one process writes."""
    parts = []
    for index, table in enumerate(LAYOUT.tables):
        rows = torch.arange(table.start, table.start + table.num_rows)
        order = table.places(rows).argsort()
        parts.append(TablePart(index, ROWS[rows[order]], SUMS[rows[order]]))
    write_tables(tmp_path, LAYOUT, parts)
    return tmp_path


def test_what_was_written_is_read_as_one_table(folder: Path) -> None:
    rows, sums = torch.zeros_like(ROWS), torch.zeros_like(SUMS)
    read_whole(folder, LAYOUT, rows, sums)
    assert torch.equal(rows, ROWS)
    assert torch.equal(sums, SUMS)


def test_nothing_is_pickled(folder: Path) -> None:
    assert holds_tables(folder)
    files = sorted(folder.iterdir())
    assert files == sorted(folder.glob(PATTERN))
    assert set().union(*(load_file(file) for file in files)) == {
        f"t{table}.{what}" for table in range(4) for what in ("rows", "sums")
    }


def test_tables_of_another_model_are_refused(folder: Path) -> None:
    other = layout_of(4)
    rows = torch.zeros(other.num_rows, 4)
    with pytest.raises(RunError, match=r"must hold 11 rows of width 4 of item, but holds \(11, 6\)"):
        read_whole(folder, other, rows, rows[:, 0])
