"""Write and read a weights file whose table of rows no process holds as a whole: piece by piece.

The file is that of ``runs/weights.py``, so that whatever reads weights reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from rankelastor.checksums import RunningChecksum, checksum_of_json
from rankelastor.errors import RunError
from rankelastor.runs.tensor_file import DTYPE_NAMES
from rankelastor.runs.weights import FORMAT_VERSION
from rankelastor.storage import whole_file

_METADATA = "__metadata__"
_ALIGNMENT = 8
_NO_CHECKSUM = "0" * 64
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class RowsToStore:
    """A table of float32 rows that comes piece by piece.

    Attributes:
        name: name of the tensor.
        num_rows: number of rows.
        dim: their width.
        pieces: the rows in order.
    """

    name: str
    num_rows: int
    dim: int
    pieces: Iterable[Tensor]


def write_streamed_weights(
    tensors: Mapping[str, Tensor], rows: RowsToStore, path: Path, *, features: str | None = None
) -> None:
    """Write tensors on the CPU and a table of rows to ``path``.

    Args:
        tensors: all tensors but the table, by name.
        rows: the table.
        path: the file.
        features: hash of the features that they were trained on.

    Raises:
        StorageError: the disk is full or the path cannot be written.
    """
    header = _header(tensors, rows)
    told = {"format_version": FORMAT_VERSION} | ({} if features is None else {"features": features})
    with whole_file(path) as temporary, temporary.open("wb") as file:
        file.write(_head({**told, "checksum": _NO_CHECKSUM}, header))
        checksum = RunningChecksum()
        for piece in _pieces(tensors, rows):
            values = piece.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data
            checksum.add(values)
            file.write(values)
        whole = checksum_of_json([told, header, checksum.value()])
        file.seek(0)
        file.write(_head({**told, "checksum": whole}, header))


def stored_rows(path: Path, name: str, *, size: int) -> Iterator[Float[Tensor, "row dim"]]:
    """Read the rows of one tensor of a weights file in pieces of ``size`` rows.

    Raises:
        RunError: the file has no such table.
    """
    with path.open("rb") as file:
        start, entry = _entry(file, path, name)
        num_rows, dim = entry["shape"]
        file.seek(start + entry["data_offsets"][0])
        for first in range(0, num_rows, size):
            count = min(size, num_rows - first)
            values = bytearray(file.read(count * dim * _FLOAT_BYTES))
            if len(values) != count * dim * _FLOAT_BYTES:
                raise RunError(f"{path} must be whole, but ends within {name}; restore the file from a copy")
            yield torch.frombuffer(values, dtype=torch.float32).view(count, dim)


def stored_tensors(path: Path, *, without: str) -> dict[str, Tensor]:
    """Read all tensors of a weights file but one, which is not looked at."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys() if name != without}  # noqa: SIM118 - no mapping


def _entry(file: BinaryIO, path: Path, name: str) -> tuple[int, Mapping[str, Any]]:
    length = int.from_bytes(file.read(_ALIGNMENT), "little")
    header = json.loads(file.read(length))
    entry = header.get(name)
    if entry is None or entry["dtype"] != "F32" or len(entry["shape"]) != 2:  # noqa: PLR2004 - rows and columns
        raise RunError(f"{path} must hold the rows {name}, but does not; it is that of another model")
    return _ALIGNMENT + length, entry


def _order(tensors: Mapping[str, Tensor], rows: RowsToStore) -> list[str]:
    """List the names so that larger elements come first, and every tensor lies at a multiple of its element size."""
    sizes = {name: tensor.element_size() for name, tensor in tensors.items()} | {rows.name: _FLOAT_BYTES}
    return sorted(sizes, key=lambda name: (-sizes[name], name))


def _header(tensors: Mapping[str, Tensor], rows: RowsToStore) -> dict[str, Any]:
    header: dict[str, Any] = {}
    start = 0
    for name in _order(tensors, rows):
        if name == rows.name:
            dtype, shape, size = torch.float32, [rows.num_rows, rows.dim], rows.num_rows * rows.dim * _FLOAT_BYTES
        else:
            dtype, shape, size = tensors[name].dtype, list(tensors[name].shape), tensors[name].nbytes
        header[name] = {"dtype": DTYPE_NAMES[dtype], "shape": shape, "data_offsets": [start, start + size]}
        start += size
    return header


def _head(told: Mapping[str, str], header: Mapping[str, Any]) -> bytes:
    text = json.dumps({_METADATA: told, **header}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(_ALIGNMENT, "little") + text


def _pieces(tensors: Mapping[str, Tensor], rows: RowsToStore) -> Iterator[Tensor]:
    for name in _order(tensors, rows):
        if name == rows.name:
            yield from rows.pieces
        else:
            yield tensors[name]
