"""Rows of a split at an address: whole shards where memory holds them all, else blocks of rows, read when asked for."""

from __future__ import annotations

import os
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import pyarrow as pa

from rankelastor.checksums import checksum_of_bytes
from rankelastor.data.manifest import FileChecksum, damaged_file
from rankelastor.data.shards import Shard, require_possible_values, shard_of_batch
from rankelastor.remote.failures import explain_failures
from rankelastor.remote.remote_path import RemotePath
from rankelastor.schema import FeatureSchema

BLOCK_ROWS = 8192
"""Largest number of rows of a block."""

_HEAD_BYTES = 1 << 16
_ALIGNMENT = 8
_MAGIC = b"ARROW1\0\0"
_CONTINUATION = b"\xff\xff\xff\xff"
_SHARE_OF_MEMORY = 4
_REQUESTS_AT_ONCE = 8


@dataclass(frozen=True)
class RemoteShardFile:
    """One shard at an address: its place, its rows, its size and checksum, and the schema that it must have."""

    path: RemotePath
    num_rows: int
    expected: FileChecksum
    schema: FeatureSchema

    def read(self) -> Shard:
        """Read the whole shard, and compare its checksum.

        Raises:
            DataError: it is missing or damaged.
        """
        data = self._all_bytes()
        if checksum_of_bytes(data) != self.expected.sha256:
            raise damaged_file(self.path, "its contents are not what was written (the checksum differs)")
        try:
            return shard_of_batch(pa.ipc.open_file(pa.py_buffer(data)).get_batch(0), self.schema)
        except (ValueError, KeyError, TypeError) as error:
            raise damaged_file(self.path, str(error)) from error

    def read_rows(self, start: int, stop: int) -> Shard:
        """Read the rows from ``start`` to before ``stop``, one request a column; their values must be possible ones.

        Raises:
            DataError: the shard is missing or damaged.
        """
        try:
            with explain_failures(str(self.path)):
                schema, places = self._layout
                columns = [
                    _rows_of_column(self._opened, place, field.type, start, stop)
                    for field, place in zip(schema, places, strict=True)
                ]
            shard = shard_of_batch(pa.RecordBatch.from_arrays(columns, schema=schema), self.schema)
            require_possible_values(shard, self.schema)
        except FileNotFoundError as error:
            raise damaged_file(self.path, "there is no such file") from error
        except (ValueError, KeyError, TypeError, struct.error) as error:
            raise damaged_file(self.path, str(error)) from error
        return shard

    def _all_bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError as error:
            raise damaged_file(self.path, "there is no such file") from error

    @cached_property
    def _opened(self) -> pa.NativeFile:
        return self.path.random_access()

    @cached_property
    def _layout(self) -> tuple[pa.Schema, list[int]]:
        """Find where the values of each column begin: shards are one record batch, uncompressed and without nulls."""
        head = self._opened.read_at(min(_HEAD_BYTES, self.expected.num_bytes), 0)
        after_schema = _end_of_metadata(head, len(_MAGIC))
        place = _end_of_metadata(head, after_schema)
        schema = pa.ipc.read_schema(pa.py_buffer(head[len(_MAGIC) : after_schema]))
        places = []
        for field in schema:
            places.append(place)
            size = self.num_rows * _row_bytes(field.type)
            place += -(-size // _ALIGNMENT) * _ALIGNMENT
        if not head.startswith(_MAGIC) or place > self.expected.num_bytes:
            raise ValueError("it is no shard of the size that the manifest says")
        return schema, places


class RemoteShards(Sequence[Shard]):
    """The rows of a split in pieces of ``rows_each`` rows, the last one the remainder, read when they are asked for.

    Where all of them take no more than ``most_bytes``, a piece is a whole shard, whose checksum is compared, and it is
    kept. Else a piece is a block of at most ``BLOCK_ROWS`` rows, of which those asked for last are kept; then values
    alone are checked, since a checksum is that of a whole file. Pieces are read by several requests at once.

    Args:
        files: the shards in order; all but the last have equally many rows.
        most_bytes: how many bytes are kept; None: a quarter of the machine's memory.
    """

    def __init__(self, files: Sequence[RemoteShardFile], *, most_bytes: int | None = None) -> None:
        self.num_bytes = sum(file.expected.num_bytes for file in files)
        self.most_bytes = _memory_share() if most_bytes is None else most_bytes
        self.all_fit = self.num_bytes <= self.most_bytes
        self.num_rows = sum(file.num_rows for file in files)
        shard_rows = files[0].num_rows
        self.rows_each = shard_rows if self.all_fit else block_rows(shard_rows)
        self._files = files
        self._blocks_per_shard = -(-shard_rows // self.rows_each)
        self._kept: OrderedDict[int, Shard] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return (self.num_rows + self.rows_each - 1) // self.rows_each

    @overload
    def __getitem__(self, index: int) -> Shard: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Shard]: ...
    def __getitem__(self, index: int | slice) -> Shard | Sequence[Shard]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        with self._lock:
            if index in self._kept:
                self._kept.move_to_end(index)
                return self._kept[index]
        return self._keep(int(index), self._read(int(index)))

    def prefetch(self, indices: Iterable[int]) -> None:
        """Read those of some pieces that are not kept, by several requests at once."""
        with self._lock:
            missing = [index for index in indices if index not in self._kept]
        if len(missing) > 1:
            with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
                for index, shard in zip(missing, pool.map(self._read, missing), strict=True):
                    self._keep(index, shard)

    def _read(self, index: int) -> Shard:
        if self.all_fit:
            return self._files[index].read()
        place, block = divmod(index, self._blocks_per_shard)
        file, start = self._files[place], block * self.rows_each
        return file.read_rows(start, min(start + self.rows_each, file.num_rows))

    def _keep(self, index: int, shard: Shard) -> Shard:
        with self._lock:
            if index not in self._kept:
                self._kept[index] = shard
                self._kept_bytes += shard.row_bytes * shard.num_rows
            while self._kept_bytes > self.most_bytes and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                self._kept_bytes -= dropped.row_bytes * dropped.num_rows
        return shard


def block_rows(shard_rows: int) -> int:
    """Find the largest number of rows of a block that cuts shards without a remainder.

    Example:
        >>> block_rows(500_000), block_rows(8192), block_rows(10_007)
        (6250, 8192, 10007)
    """
    whole = (rows for rows in range(min(BLOCK_ROWS, shard_rows), BLOCK_ROWS // 16, -1) if shard_rows % rows == 0)
    return next(whole, shard_rows)


def _rows_of_column(file: pa.NativeFile, place: int, kind: pa.DataType, start: int, stop: int) -> pa.Array:
    width, num_rows = _row_bytes(kind), stop - start
    data = pa.py_buffer(file.read_at(num_rows * width, place + start * width))
    if data.size != num_rows * width:
        raise ValueError("it ends too early")
    if not pa.types.is_fixed_size_list(kind):
        return pa.Array.from_buffers(kind, num_rows, [None, data])
    values = pa.Array.from_buffers(kind.value_type, num_rows * kind.list_size, [None, data])
    return pa.FixedSizeListArray.from_arrays(values, type=kind)


def _row_bytes(kind: pa.DataType) -> int:
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size * kind.value_type.byte_width)
    return int(kind.byte_width)


def _end_of_metadata(head: bytes, place: int) -> int:
    """Find the end of the metadata of the message at ``place``: a mark, the length, and as many bytes."""
    if head[place : place + 4] != _CONTINUATION:
        raise ValueError("it is no Arrow file")
    end: int = place + 8 + struct.unpack_from("<i", head, place + 4)[0]
    if not place < end <= len(head):
        raise ValueError("its metadata are longer than those of a shard")
    return end


def _memory_share() -> int:
    """Compute a quarter of the machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _SHARE_OF_MEMORY
