"""The state of embedding rows that lie in several processes: stored, read back, and given to one process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from rankelastor.collectives.processes import Processes
from rankelastor.models.ranker import Ranker
from rankelastor.runs.checkpoints import Checkpoint
from rankelastor.runs.streamed_weights import RowsToStore, stored_rows, stored_tensors, write_streamed_weights
from rankelastor.runs.weights import load_weights, save_weights, set_weights
from rankelastor.sharding.layout import TableLayout
from rankelastor.sharding.table_parts import holds_tables
from rankelastor.sharding.tables import ShardedTables
from rankelastor.training.distributed.state import share_weights

_TABLE = "embedding.table"
_STATE_OF_TABLE, _SUMS = f"model.{_TABLE}", "rows.sums"
PIECE_ROWS = 1 << 16
"""How many rows go from process to process, or to the disk, at a time."""


def tables_of(ranker: Ranker) -> ShardedTables | None:
    """Return the tables that hold the rows of a ranker; None if it has them itself."""
    tables = ranker.embedding.elsewhere
    assert tables is None or isinstance(tables, ShardedTables), "rows that a training has elsewhere are sharded"
    return tables


def save_whole_weights(ranker: Ranker, path: Path, *, features: str | None) -> None:
    """Write the weights of a ranker; rows of other processes, which call ``give_rows``, go to the disk piece by piece.

    Raises:
        StorageError: the disk is full or the path cannot be written.
    """
    tables = tables_of(ranker)
    if tables is None:
        save_weights(ranker, path, features=features)
        return
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in ranker.state_dict().items()}
    del tensors[_TABLE]
    layout = tables.layout
    rows = RowsToStore(_TABLE, layout.num_rows, layout.dim, _collected(tables))
    write_streamed_weights(tensors, rows, path, features=features)


def give_rows(ranker: Ranker) -> None:
    """Give the first process the rows that lie here, while it writes them."""
    tables = tables_of(ranker)
    if tables is not None:
        for _ in range(0, tables.layout.num_rows, PIECE_ROWS):
            tables(torch.empty(0, dtype=torch.int64))


def _collected(tables: ShardedTables) -> Iterator[Tensor]:
    num_rows = tables.layout.num_rows
    for first in range(0, num_rows, PIECE_ROWS):
        yield tables(torch.arange(first, min(first + PIECE_ROWS, num_rows)))


def share_best_weights(ranker: Ranker, path: Path | None, processes: Processes) -> None:
    """Give all processes the weights in the file that the first process has; one process alone reads the file.

    Args:
        ranker: changed in place.
        path: the file, in the first process.
        processes: those that train together.

    Raises:
        RunError: the file is missing or damaged, or holds the weights of another model.
    """
    tables = tables_of(ranker)
    if path is not None and tables is None:
        load_weights(ranker, path)
    elif path is not None:
        set_weights(
            ranker, stored_tensors(path, without=_TABLE) | {_TABLE: ranker.embedding.table.detach()}, source=path
        )
    share_weights(ranker, processes)
    if tables is not None:
        _share_rows(tables, path)


def _share_rows(tables: ShardedTables, path: Path | None) -> None:
    layout, processes = tables.layout, tables.processes
    stored = None if path is None else stored_rows(path, _TABLE, size=PIECE_ROWS)
    for first in range(0, layout.num_rows, PIECE_ROWS):
        count = min(PIECE_ROWS, layout.num_rows - first)
        rows = torch.empty(count, layout.dim) if stored is None else next(stored)
        processes.copy_from_first([rows])
        tables.fill(first, rows)


def restored_rows(ranker: Ranker, checkpoint: Checkpoint, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take over the rows of a checkpoint, whose tables may be sharded or not, as those of the ranker may be.

    Args:
        ranker: changed in place where its rows are sharded.
        checkpoint: the checkpoint; its folder is reached by all processes.
        tensors: the tensors of its state.

    Returns:
        The tensors of the state as this process has them.

    Raises:
        RunError: the checkpoint is that of another model.
    """
    tables, found = tables_of(ranker), dict(tensors)
    if tables is None:
        if holds_tables(checkpoint.path):
            from rankelastor.sharding.checkpoint import read_whole  # noqa: PLC0415 - takes a second

            rows = torch.zeros_like(ranker.embedding.table.detach())
            found |= {_STATE_OF_TABLE: rows, _SUMS: rows.new_zeros(len(rows))}
            read_whole(checkpoint.path, TableLayout.of_rows(ranker.embedding), rows, found[_SUMS])
        return found
    if holds_tables(checkpoint.path):
        tables.read(checkpoint.path)
    else:
        tables.fill(0, found[_STATE_OF_TABLE])
        tables.fill_sums(found[_SUMS])
        found |= {_STATE_OF_TABLE: ranker.embedding.table.detach(), _SUMS: found[_SUMS][:0]}
    return found
