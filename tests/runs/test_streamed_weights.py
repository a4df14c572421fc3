"""Weights that are written piece by piece."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rankelastor.errors import RunError
from rankelastor.runs.streamed_weights import RowsToStore, stored_rows, stored_tensors, write_streamed_weights
from rankelastor.runs.weights import read_weights, write_weights

DENSE = {
    "network.weight": torch.arange(6.0).view(2, 3),
    "network.steps": torch.tensor(3),
    "network.seen": torch.tensor(True),
}
TABLE = torch.randn(11, 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file whose rows came in three pieces."""
    path = tmp_path / "best.safetensors"
    rows = RowsToStore("embedding.table", 11, 4, TABLE.split(4))
    write_streamed_weights(DENSE, rows, path, features="abc")
    return path


def test_what_is_streamed_is_read_as_any_weights(path: Path, tmp_path: Path) -> None:
    found = read_weights(path, features="abc")
    whole = tmp_path / "whole.safetensors"
    write_weights({**DENSE, "embedding.table": TABLE}, whole, features="abc")
    wanted = read_weights(whole)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_rows_and_the_rest_are_read_apart(path: Path) -> None:
    pieces = list(stored_rows(path, "embedding.table", size=5))
    assert [len(piece) for piece in pieces] == [5, 5, 1]
    assert torch.equal(torch.cat(pieces), TABLE)
    assert stored_tensors(path, without="embedding.table").keys() == DENSE.keys()


def test_rows_that_are_not_there_are_refused(path: Path) -> None:
    with pytest.raises(RunError, match="must hold the rows elsewhere"):
        next(stored_rows(path, "elsewhere", size=5))


def test_a_damaged_file_is_found(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunError, match="damaged"):
        read_weights(path)
