"""Shards, the final form of rows: memory-mapped Arrow IPC files in row-major layout.

Ids and numbers of a row are contiguous (``FixedSizeList`` columns), so that a shuffled batch takes one gather per
shard and not one per feature.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.data.encoded_rows import EncodedRows
from rankelastor.errors import PREPARE_AGAIN, DataError
from rankelastor.remote.remote_path import AnyPath, RemotePath
from rankelastor.schema import FeatureSchema

SHARD_BYTES = 256 << 20
"""Largest size of a shard in bytes: `prepare` holds one shard of each split in memory."""

Number = TypeVar("Number", bound=np.generic)
Place = TypeVar("Place", Path, RemotePath)


@dataclass(frozen=True)
class Shard:
    """The rows of one shard as read-only NumPy views of the mapped file.

    ``categorical`` int32 (row, categorical feature), ``numeric`` float32 (row, numeric feature), ``labels`` float32
    (row, task), ``group`` int64 (row,) or None, ``sequence`` int32 (row, position of all sequence features side by
    side) or None if there is no sequence feature, ``weight`` float32 (row,) or None.
    """

    categorical: NDArray[np.int32]
    numeric: NDArray[np.float32]
    labels: NDArray[np.float32]
    group: NDArray[np.int64] | None
    sequence: NDArray[np.int32] | None = None
    weight: NDArray[np.float32] | None = None

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(self.labels)

    @property
    def row_bytes(self) -> int:
        """Bytes per row in all arrays together."""
        columns = (self.categorical, self.numeric, self.labels, self.group, self.sequence, self.weight)
        return sum(column.nbytes for column in columns if column is not None) // self.num_rows


def limit_shard_rows(schema: FeatureSchema, shard_rows: int, *, has_weight: bool = False) -> int:
    """Reduce ``shard_rows`` if rows are so wide that a shard would exceed ``SHARD_BYTES``.

    Example:
        >>> from rankelastor.schema import SequenceFeature
        >>> limit_shard_rows(FeatureSchema((SequenceFeature("seen", 9, 1_000),)), 500_000)
        66908
    """
    features = len(schema.categorical) + len(schema.numeric) + schema.num_positions
    cells = features + len(schema.tasks) + has_weight
    row_bytes = cells * np.dtype(np.float32).itemsize + np.dtype(np.int64).itemsize  # the latter is the group
    return max(1, min(shard_rows, SHARD_BYTES // row_bytes))


class ShardWriter:
    """Writer of the rows of one split in shards of ``shard_rows`` rows.

    It holds one shard in memory: 4 bytes per feature and row.
    """

    def __init__(
        self,
        folder: Path,
        schema: FeatureSchema,
        *,
        num_rows: int,
        shard_rows: int,
        has_group: bool,
        has_weight: bool = False,
    ) -> None:
        folder.mkdir()
        self._folder = folder
        self._schema = schema
        self._shard_rows = shard_rows
        size = min(num_rows, shard_rows)
        self._categorical = np.empty((size, len(schema.categorical)), dtype=np.int32)
        self._numeric = np.empty((size, len(schema.numeric)), dtype=np.float32)
        self._labels = np.empty((size, len(schema.tasks)), dtype=np.float32)
        self._weight = np.empty(size, dtype=np.float32) if has_weight else None
        self._group = np.empty(size, dtype=np.int64) if has_group else None
        self._sequence = np.empty((size, schema.num_positions), dtype=np.int32) if schema.num_positions else None
        self._filled = 0
        self.num_shards = 0

    def add(self, rows: EncodedRows) -> None:
        """Add rows; write each shard that is full."""
        start = 0
        while start < rows.num_rows:
            stop = min(rows.num_rows, start + len(self._labels) - self._filled)
            self._copy(rows.select(slice(start, stop)), slice(self._filled, self._filled + stop - start))
            start = stop
            if self._filled == self._shard_rows:
                self._write()

    def finish(self) -> None:
        """Write the remaining rows."""
        if self._filled:
            self._write()

    def _copy(self, rows: EncodedRows, place: slice) -> None:
        self._categorical[place] = rows.categorical
        self._numeric[place] = rows.numeric
        assert rows.labels is not None, "rows of a data set have labels"
        self._labels[place] = rows.labels
        if self._weight is not None:
            assert rows.weight is not None, "the writer was made for rows with a weight"
            self._weight[place] = rows.weight
        if self._group is not None:
            assert rows.group is not None, "the writer was made for rows with a group"
            self._group[place] = rows.group
        if self._sequence is not None:
            assert rows.sequence is not None, "the schema has sequence features"
            self._sequence[place] = rows.sequence
        self._filled = place.stop

    def _write(self) -> None:
        rows = slice(0, self._filled)
        columns: dict[str, pa.Array] = {}
        if self._schema.categorical:
            columns["categorical"] = _matrix(self._categorical[rows])
        if self._schema.numeric:
            columns["numeric"] = _matrix(self._numeric[rows])
        if len(self._schema.tasks) == 1:
            columns["label"] = pa.array(self._labels[rows, 0])
        else:
            columns["labels"] = _matrix(self._labels[rows])
        if self._weight is not None:
            columns["weight"] = pa.array(self._weight[rows])
        if self._group is not None:
            columns["group"] = pa.array(self._group[rows])
        if self._sequence is not None:
            columns["sequence"] = _matrix(self._sequence[rows])
        names = {
            "categorical": json.dumps([feature.name for feature in self._schema.categorical]),
            "numeric": json.dumps([feature.name for feature in self._schema.numeric]),
            "sequence": json.dumps({feature.name: feature.max_length for feature in self._schema.sequence}),
        }
        if len(self._schema.tasks) > 1:
            names["labels"] = json.dumps(self._schema.tasks)
        batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
        schema = batch.schema.with_metadata(names)
        path = shard_path(self._folder, self.num_shards)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(batch.replace_schema_metadata(names))
        self.num_shards += 1
        self._filled = 0


def shard_path(folder: Place, index: int) -> Place:
    """Return the path of a shard."""
    return folder / f"part-{index:05d}.arrow"


def open_shard(path: AnyPath, schema: FeatureSchema, *, is_known_whole: bool = False) -> Shard:
    """Map a shard into memory; its rows are read from disk on access. From an address all of it is read now.

    Args:
        path: the file.
        schema: the features and tasks that it must have.
        is_known_whole: its checksum was right. Otherwise all of it is read now, and its values must be possible ones.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        with _mapped(path) as mapped:
            batch = pa.ipc.open_file(mapped).get_batch(0)
        if not is_known_whole:
            batch.validate(full=True)
        shard = shard_of_batch(batch, schema)
        if not is_known_whole:
            require_possible_values(shard, schema)
    except (OSError, ValueError, KeyError, TypeError) as error:  # Arrow's errors are ValueErrors and KeyErrors
        raise DataError(
            f"{path} must be a shard of a prepared folder, but {error}; run `{PREPARE_AGAIN}`", python=PREPARE_AGAIN
        ) from error
    return shard


def shard_of_batch(batch: pa.RecordBatch, schema: FeatureSchema) -> Shard:
    """View the columns of a record batch, all rows of a shard or some, as NumPy arrays.

    Raises:
        ValueError: a column has another type or shape than the schema says.
        KeyError: a column is missing.
    """
    return Shard(
        categorical=_view_matrix(batch, "categorical", len(schema.categorical), np.dtype(np.int32)),
        numeric=_view_matrix(batch, "numeric", len(schema.numeric), np.dtype(np.float32)),
        labels=_view_labels(batch, len(schema.tasks)),
        group=_view(batch.column("group"), np.dtype(np.int64)) if "group" in batch.schema.names else None,
        sequence=_view_matrix(batch, "sequence", schema.num_positions, np.dtype(np.int32))
        if schema.num_positions
        else None,
        weight=_view(batch.column("weight"), np.dtype(np.float32)) if "weight" in batch.schema.names else None,
    )


def require_possible_values(shard: Shard, schema: FeatureSchema) -> None:
    """Check the values of a shard that has no checksum: ids of the features, labels 0 and 1, finite numbers.

    Raises:
        ValueError: a value is not possible.
    """
    for place, categorical in enumerate(schema.categorical):
        _require_ids(shard.categorical[:, place], categorical.name, categorical.num_ids)
    start = 0
    for sequence in schema.sequence:
        assert shard.sequence is not None, "it was read"
        _require_ids(shard.sequence[:, start : start + sequence.max_length], sequence.name, sequence.num_ids)
        start += sequence.max_length
    if not np.isin(shard.labels, [0.0, 1.0]).all():
        raise ValueError("it has labels other than 0 and 1")
    if not np.isfinite(shard.numeric).all():
        raise ValueError("it has numbers that are not finite")
    if shard.weight is not None and not (np.isfinite(shard.weight) & (shard.weight >= 0)).all():
        raise ValueError("it has weights that are negative or not finite")


def _require_ids(ids: NDArray[np.int32], name: str, num_ids: int) -> None:
    if ids.size and not 0 <= ids.min() <= ids.max() < num_ids:
        raise ValueError(f"the ids of {name} must lie in 0 to {num_ids - 1}, but {ids.min()} to {ids.max()} were found")


def _matrix(values: NDArray[np.int32] | NDArray[np.float32]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def _view_labels(batch: pa.RecordBatch, num_tasks: int) -> NDArray[np.float32]:
    """View the labels, float32 (row, task): the column ``label`` of one task, or the matrix ``labels`` of several."""
    if num_tasks == 1:
        return _view(batch.column("label"), np.dtype(np.float32)).reshape(-1, 1)
    return _view_matrix(batch, "labels", num_tasks, np.dtype(np.float32))


def _view_matrix(batch: pa.RecordBatch, name: str, width: int, dtype: np.dtype[Number]) -> NDArray[Number]:
    if width == 0:
        return np.empty((batch.num_rows, 0), dtype=dtype)
    cells = _view(batch.column(name).flatten(), dtype)
    if len(cells) != batch.num_rows * width:
        raise ValueError(f"{name} has {len(cells)} cells for {batch.num_rows} rows of {width}")
    return cells.reshape(batch.num_rows, width)


def _view(cells: pa.Array, dtype: np.dtype[Number]) -> NDArray[Number]:
    view: NDArray[Number] = cells.to_numpy(zero_copy_only=True)
    if view.dtype != dtype:
        raise ValueError(f"{dtype} was expected, but {view.dtype} was found")
    return view


def _mapped(path: AnyPath) -> pa.NativeFile:
    return pa.BufferReader(path.read_bytes()) if isinstance(path, RemotePath) else pa.memory_map(str(path))
