"""Read and write weights as safetensors; files are written atomically, and nothing is unpickled.

The metadata of a file hold the checksum of its tensors and name the features that they were trained on, so that a
weights file can be checked by itself, also while a training goes on.
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from rankelastor.checksums import checksum_of_bytes, checksum_of_json
from rankelastor.errors import RunError, shorten
from rankelastor.storage import whole_file

FORMAT_VERSION = "1"
_METADATA = "__metadata__"
_LENGTH_BYTES = 8
_MOST_HEADER_BYTES = 100 << 20


@dataclass(frozen=True)
class WeightsOrigin:
    """What a weights file says of itself.

    Attributes:
        features: hash of the features that the weights were trained on; None in files of earlier versions.
        has_checksum: whether its contents were compared with a checksum.
    """

    features: str | None
    has_checksum: bool


def save_weights(module: nn.Module, path: Path, *, features: str | None = None) -> None:
    """Write the parameters of ``module`` to ``path``.

    Args:
        module: the module.
        path: the file.
        features: hash of the features that it was trained on (``Manifest.feature_digest``).

    Raises:
        StorageError: the disk is full or the path cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    write_weights(tensors, path, features=features)


def write_weights(tensors: dict[str, Tensor], path: Path, *, features: str | None = None) -> None:
    """Write contiguous tensors on the CPU to ``path``, see ``save_weights``.

    Raises:
        StorageError: the disk is full or the path cannot be written.
    """
    content = memoryview(save(tensors))
    end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    header = json.loads(bytes(content[_LENGTH_BYTES:end]))
    told = {"format_version": FORMAT_VERSION} | ({} if features is None else {"features": features})
    told["checksum"] = _checksum(told, header, content[end:])
    text = json.dumps({_METADATA: told, **header}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH_BYTES)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        # Python writes the file, so that a full disk is an OSError, which whole_file explains.
        file.write(len(text).to_bytes(_LENGTH_BYTES, "little") + text)
        file.write(content[end:])


def load_weights(module: nn.Module, path: Path) -> None:
    """Read the parameters of ``module`` from ``path``, in place.

    Raises:
        RunError: the file is missing or damaged, or holds the parameters of another model.
    """
    set_weights(module, read_weights(path), source=path)


def read_weights(path: Path, *, features: str | None = None) -> dict[str, Tensor]:
    """Read the tensors of a file by name, after its checksum; tensors of earlier versions must be finite.

    Args:
        path: the file.
        features: hash of the features that it must have been trained on; None: any.

    Raises:
        RunError: the file is missing or damaged, was trained on other features, or was written by a newer version.
    """
    origin = check_weights(path)
    if None not in (features, origin.features) and origin.features != features:
        raise RunError(
            f"{path} must hold weights that were trained on the features beside it, but was trained on others; one of "
            "them is from another run: restore it from a copy"
        )
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise _unreadable(path, error) from error
    if not origin.has_checksum:
        _require_finite(tensors, path)
    return tensors


def check_weights(path: Path) -> WeightsOrigin:
    """Compare a file with the checksum that it holds.

    Raises:
        RunError: the file is missing or damaged, or was written by a newer version.
    """
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as content,
        ):
            return _check(content, path)
    except FileNotFoundError:
        raise RunError(
            f"the weights must be in {path}, but there is no such file; was the training stopped early?"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(path, error) from error


def set_weights(module: nn.Module, tensors: Mapping[str, Tensor], *, source: Path) -> None:
    """Copy tensors into the parameters of ``module``, by name.

    Args:
        module: the module to change in place.
        tensors: one tensor for each of its parameters and buffers.
        source: name of the file in messages.

    Raises:
        RunError: the tensors are those of another model.
    """
    expected = {name: tensor.dtype for name, tensor in module.state_dict().items()}
    for name, tensor in tensors.items():
        if name in expected and tensor.dtype != expected[name]:
            raise RunError(f"{source} must hold the parameters of this model, but {name} is {tensor.dtype}")
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise RunError(f"{source} must hold the parameters of this model, but {error}") from error


def _check(content: memoryview, path: Path) -> WeightsOrigin:
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    end = _LENGTH_BYTES + length
    if len(content) < _LENGTH_BYTES or end > len(content) or length > _MOST_HEADER_BYTES:
        raise ValueError(f"its header would have {length:,} bytes, and the file has {len(content):,}")
    header: dict[str, Any] = json.loads(bytes(content[_LENGTH_BYTES:end]))
    told = header.pop(_METADATA, {})
    _require_sizes(header, len(content) - end)
    if told in ({}, {"format": "pt"}):  # written by version 0.1.0, or by another program
        return WeightsOrigin(None, has_checksum=False)
    checksum = told.pop("checksum")
    if told.get("format_version") != FORMAT_VERSION:
        raise RunError(
            f"{path} must have format_version {FORMAT_VERSION}, but has {shorten(told.get('format_version'))}: a newer "
            "version of rankelastor wrote it; update rankelastor"
        )
    if checksum != _checksum(told, header, content[end:]):
        raise RunError(
            f"{path} must be whole, but the weights are damaged: they are not what was written (the checksum differs); "
            "restore the file from a copy, or train again"
        )
    return WeightsOrigin(told.get("features"), has_checksum=True)


def _require_sizes(header: Mapping[str, Any], num_bytes: int) -> None:
    """Check that tensors lie inside of the file, before memory is taken for them."""
    for name, entry in header.items():
        start, stop = entry["data_offsets"]
        if not (0 <= start <= stop <= num_bytes and all(size >= 0 for size in entry["shape"])):
            raise ValueError(f"{shorten(name)} would lie in bytes {start} to {stop} of {num_bytes:,}")
        if math.prod(entry["shape"]) > stop - start:
            raise ValueError(
                f"{shorten(name)} would have the shape {shorten(entry['shape'])} in {stop - start:,} bytes"
            )


def _checksum(told: Mapping[str, Any], header: Mapping[str, Any], data: memoryview) -> str:
    """Compute the checksum of what a file says of itself, and of names, types, shapes and values of tensors."""
    return checksum_of_json([dict(told), dict(header), checksum_of_bytes(data)])


def _require_finite(tensors: Mapping[str, Tensor], path: Path) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise RunError(f"{path} must hold finite weights, but {name} is not finite; restore the file from a copy")


def _unreadable(path: Path, error: Exception) -> RunError:
    reason = error.strerror or error if isinstance(error, OSError) else error
    return RunError(f"{path} must hold safetensors, but cannot be read: {reason}; restore the file from a copy")
