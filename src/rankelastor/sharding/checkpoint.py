"""Checkpoints of sharded tables: written by any number of processes, read by any other number.

PyTorch's planner of distributed checkpoints says which process writes and reads which part; the parts lie in
safetensors files, so that nothing is unpickled. A table is stored by places, see ``layout.py``, in the width of the
embedding. The parts themselves are described in ``table_parts.py``: importing this module takes a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner, DefaultSavePlanner
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.metadata import ChunkStorageMetadata, MetadataIndex, TensorProperties
from torch.distributed.checkpoint.planner import TensorWriteData, WriteItem, WriteItemType
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from rankelastor.errors import RunError, StorageError
from rankelastor.sharding.layout import TableLayout
from rankelastor.sharding.plan import name_of
from rankelastor.sharding.quiet import quiet
from rankelastor.sharding.table_parts import TablePart

_LOGGER = "torch.distributed.checkpoint"
"""What it says of each plan, and of one process that writes alone, is left out."""


def write_tables(folder: Path, layout: TableLayout, parts: Sequence[TablePart], *, group: Any = None) -> None:
    """Write the parts of all processes into ``folder``; all of them must call it together.

    Args:
        folder: a folder that all processes reach.
        layout: the tables.
        parts: those of this process, one of a table at most.
        group: the process group; None is this process alone.
    """
    state: dict[str, _Part] = {}
    for part in parts:
        num_rows = layout.tables[part.table].num_rows
        state[f"{name_of(part.table)}.rows"] = _Part(
            part.rows.contiguous(), (part.first_row, part.first_column), (num_rows, layout.dim)
        )
        state[f"{name_of(part.table)}.sums"] = _Part(
            part.sums[:, None].contiguous(), (part.first_row, part.sum_index), (num_rows, part.num_sums)
        )
    files = {f"{name_of(table)}.{what}": table + 1 for table in range(len(layout.tables)) for what in ("rows", "sums")}
    with quiet(_LOGGER):
        _explained(
            save,
            state,
            storage_writer=HuggingFaceStorageWriter(str(folder), fqn_to_index_mapping=files, save_distributed=True),
            planner=_SavePlanner(flatten_state_dict=False, flatten_sharded_tensors=False),
            process_group=group,
            no_dist=group is None,
        )


def read_tables(folder: Path, layout: TableLayout, parts: Sequence[TablePart], *, group: Any = None) -> None:
    """Read the parts of this process from what any number of processes wrote; all of them must call it together.

    A row has a sum for each part of its columns. Read with another number of them, see ``regrouped``, each gets the
    mean of those that it consists of, or the one that it is a part of.

    Raises:
        RunError: the tables are those of another model.
    """
    reader = HuggingFaceStorageReader(str(folder))
    stored: Any = reader.read_metadata().state_dict_metadata
    state: dict[str, _Part] = {}
    sums: list[tuple[TablePart, Tensor]] = []
    for part in parts:
        name, num_rows = name_of(part.table), layout.tables[part.table].num_rows
        found = [tuple(stored[key].size) if key in stored else () for key in (f"{name}.rows", f"{name}.sums")]
        if found[0] != (num_rows, layout.dim) or found[1][:1] != (num_rows,):
            raise RunError(
                f"{folder} must hold {num_rows:,} rows of width {layout.dim} of {layout.tables[part.table].name}, but "
                f"holds {found[0] or 'none'}; it is the checkpoint of another model"
            )
        state[f"{name}.rows"] = _Part(part.rows, (part.first_row, part.first_column), (num_rows, layout.dim))
        held = part.sums.new_empty(len(part.sums), found[1][1])
        state[f"{name}.sums"] = _Part(held, (part.first_row, 0), found[1])
        sums.append((part, held))
    with quiet(_LOGGER):
        _explained(
            load,
            state,
            storage_reader=reader,
            planner=_LoadPlanner(flatten_state_dict=False, flatten_sharded_tensors=False),
            process_group=group,
            no_dist=group is None,
        )
    for part, held in sums:
        part.sums.copy_(regrouped(held, part.num_sums)[:, part.sum_index])


def regrouped(sums: Float[Tensor, "row stored"], count: int) -> Float[Tensor, "row part"]:
    """Compute the mean squares of ``count`` equal parts of each row from those of another number of equal parts.

    Fewer parts than are stored have exactly the mean of theirs; each of more parts gets that of the part which it lies
    in. Where neither number divides the other, all parts get the mean.

    Example:
        >>> sums = torch.tensor([[1.0, 3.0, 5.0, 7.0]])
        >>> regrouped(sums, 2)
        tensor([[2., 6.]])
        >>> regrouped(sums, 8)
        tensor([[1., 1., 3., 3., 5., 5., 7., 7.]])
        >>> regrouped(sums, 3)
        tensor([[4., 4., 4.]])
    """
    stored = sums.shape[1]
    if count % stored == 0:
        return sums.repeat_interleave(count // stored, 1)
    if stored % count == 0:
        return sums.view(len(sums), count, stored // count).mean(2)
    return sums.mean(1, keepdim=True).expand(-1, count)


def read_whole(folder: Path, layout: TableLayout, rows: Tensor, sums: Tensor) -> None:
    """Read all tables into one, by one process.

    Args:
        folder: what any number of processes wrote.
        layout: the tables.
        rows: (row, dim), with the padding row, changed in place.
        sums: (row,), changed in place.

    Raises:
        RunError: the tables are those of another model.
    """
    for index, table in enumerate(layout.tables):
        part = TablePart(index, rows.new_empty(table.num_rows, layout.dim), sums.new_empty(table.num_rows))
        read_tables(folder, layout, [part])
        own = slice(table.start, table.start + table.num_rows)
        places = table.places(torch.arange(own.start, own.stop))
        rows[own] = part.rows[places]
        sums[own] = part.sums[places]


class _Part:
    """A rectangle of a tensor, as PyTorch's planners ask for it.

    Attributes:
        values: the rectangle.
    """

    def __init__(self, values: Tensor, offsets: Sequence[int], size: Sequence[int]) -> None:
        self.values = values
        self._chunk = ChunkStorageMetadata(offsets=torch.Size(offsets), sizes=values.shape)
        self._size = torch.Size(size)

    def __create_write_items__(self, name: str, _object: object) -> list[WriteItem]:
        data = TensorWriteData(
            chunk=self._chunk, properties=TensorProperties.create_from_tensor(self.values), size=self._size
        )
        return [WriteItem(MetadataIndex(name, self._chunk.offsets), WriteItemType.SHARD, tensor_data=data)]

    def __create_chunk_list__(self) -> list[ChunkStorageMetadata]:
        return [self._chunk]


class _SavePlanner(DefaultSavePlanner):
    def lookup_object(self, index: MetadataIndex) -> Tensor:
        """Find what is written."""
        part: _Part = self.state_dict[index.fqn]
        return part.values


class _LoadPlanner(DefaultLoadPlanner):
    def set_up_planner(self, state_dict: Any, metadata: Any = None, is_coordinator: bool = False) -> None:  # noqa: FBT001, FBT002 - PyTorch's
        """Take the parts as they are, where the default copies what is no tensor."""
        self.original_state_dict = self.state_dict = state_dict
        self.metadata = metadata
        self.is_coordinator = is_coordinator

    def lookup_tensor(self, index: MetadataIndex) -> Tensor:
        """Find where to read into."""
        part: _Part = self.state_dict[index.fqn]
        return part.values


def _explained(work: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """Call a function of PyTorch's checkpoints, whose failures in any process are no ``Exception``.

    Raises:
        StorageError: a part cannot be written or read.
    """
    try:
        work(*arguments, **named)
    except CheckpointException as error:
        causes = {rank: failure[0] for rank, failure in error.failures.items()}
        said = "; ".join(f"process {rank}: {type(cause).__name__}: {cause}" for rank, cause in causes.items())
        raise StorageError(f"all processes must write or read their parts of the tables, but {said}") from None
