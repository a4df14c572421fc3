"""Write tensors as safetensors piece by piece, and sum their checksum on the way."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

DTYPE_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""Names of types in the header of a file."""
_PIECE_BYTES = 1 << 24
_ALIGNMENT = 8


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> str:
    """Write contiguous tensors on the CPU to a file, and its bytes to the disk; return its SHA-256 in hexadecimal.

    Unlike ``safetensors.torch.save`` it makes no copy of the tensors, which would take their memory a second time.

    Example:
        >>> import tempfile
        >>> from safetensors.torch import load_file
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = write_tensors({"a": torch.tensor([1.0, 2.0])}, Path(folder) / "a.safetensors")
        ...     load_file(Path(folder) / "a.safetensors")
        {'a': tensor([1., 2.])}
    """
    return write_pieces(_pieces(tensors), path)


def write_pieces(pieces: Iterator[bytes | memoryview], path: Path) -> str:
    """Write pieces to a file, and its bytes to the disk; return its SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _pieces(tensors: Mapping[str, Tensor]) -> Iterator[bytes | memoryview]:
    # The largest element sizes come first, so that every tensor lies at a multiple of its element size.
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, object] = {}
    start = 0
    for name in names:
        stop = start + tensors[name].nbytes
        shape = list(tensors[name].shape)
        header[name] = {"dtype": DTYPE_NAMES[tensors[name].dtype], "shape": shape, "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    yield len(text).to_bytes(8, "little")
    yield text
    for name in names:
        values = tensors[name].detach().contiguous().reshape(-1).view(torch.uint8).numpy().data
        for first in range(0, len(values), _PIECE_BYTES):
            yield values[first : first + _PIECE_BYTES]
