"""The checkpoints of a run folder: the whole state of a training, from which it goes on.

.. code-block:: text

    checkpoints/step-0000001200/  after as many steps; with -evaluated, also after the evaluation that follows them
        state.safetensors     weights, buffers, moments, row counters, generators
        state.json            position, learning rate, evaluations and other values; settings and data they belong to
        best.safetensors      the best weights of that time, one file with those of the run folder as long as they agree
        best_valid.safetensors  their probabilities of valid
        shard-*.safetensors   of sharded embedding tables, the rows and sums of squares: see ``sharding/checkpoint.py``
        checksums.json        format version, size and SHA-256 of each file above

A checkpoint appears whole under its name or not at all. ``checksums.json`` tells a whole one from a damaged one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from rankelastor.errors import RunError
from rankelastor.runs.tensor_file import write_pieces, write_tensors
from rankelastor.storage import remove_leftovers, whole_file, whole_folder

FORMAT_VERSION = 1
_PREFIX, _EVALUATED = "step-", "-evaluated"
_CHECKSUMS, _VALUES, _TENSORS = "checksums.json", "state.json", "state.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint.

    Attributes:
        path: its folder.
        step: number of steps that were done.
        values: position, learning rate and all other values of JSON.
        tensors: the tensors of the state by name.
    """

    path: Path
    step: int
    values: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    def copy_of(self, name: str, target: Path) -> bool:
        """Put a file of the checkpoint at ``target`` if it has such a file, and return whether it has."""
        source = self.path / name
        if source.is_file():
            with whole_file(target) as temporary:
                share_file(source, temporary)
        return source.is_file()


def write_checkpoint(
    folder: Path,
    *,
    step: int,
    values: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    is_evaluated: bool = False,
    files: Iterable[Path] = (),
    write_more: Callable[[Path], Mapping[str, str]] | None = None,
) -> Path:
    """Write a checkpoint into ``folder``; one of the same moment is replaced.

    Args:
        folder: the folder of the checkpoints.
        step: number of steps that are done.
        values: values for JSON; numbers must be finite.
        tensors: contiguous tensors on the CPU.
        is_evaluated: whether the steps end an epoch that has been evaluated.
        files: finished files that belong to it; those that exist are linked, or copied where links cannot be made.
        write_more: writes further files into the folder that it gets, and returns their SHA-256 by name.

    Returns:
        The folder of the checkpoint.

    Raises:
        StorageError: the disk is full, or the folder cannot be written; no part is left behind.
    """
    target = folder / f"{_PREFIX}{step:010d}{_EVALUATED if is_evaluated else ''}"
    with whole_folder(target) as temporary:
        digests = {_TENSORS: write_tensors(tensors, temporary / _TENSORS)}
        text = json.dumps(values, allow_nan=False, indent=1).encode()
        digests[_VALUES] = write_pieces(iter([text]), temporary / _VALUES)
        for file in files:
            if file.is_file():
                share_file(file, temporary / file.name)
                digests[file.name] = digest_of(temporary / file.name)
        if write_more is not None:
            digests |= write_more(temporary)
        listed = {
            name: {"bytes": (temporary / name).stat().st_size, "sha256": digest} for name, digest in digests.items()
        }
        text = json.dumps({"format_version": FORMAT_VERSION, "files": listed}, indent=1).encode()
        write_pieces(iter([text]), temporary / _CHECKSUMS)
    return target


def list_checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints in a folder, the newest one (that with most steps) first, whole or not."""
    found = [path for path in folder.glob(f"{_PREFIX}*") if _digits(path).isdecimal()]
    return sorted(found, key=lambda path: (step_of(path), path.name), reverse=True)


def step_of(checkpoint: Path) -> int:
    """Return the number of steps in the name of a checkpoint."""
    return int(_digits(checkpoint))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint whose files all have the sizes and checksums that it lists.

    Raises:
        RunError: it is damaged, or a newer version wrote it.
    """
    _check(path)
    try:
        values = json.loads((path / _VALUES).read_text(encoding="utf-8"))
        tensors = load_file(path / _TENSORS)
    except (OSError, ValueError, SafetensorError) as error:
        raise _damaged(path, str(error)) from error
    return Checkpoint(path, step_of(path), values, tensors)


def remove_all_but(folder: Path, newest: int) -> None:
    """Remove the checkpoints with fewest steps, all but ``newest`` of them."""
    for path in list_checkpoints(folder)[newest:]:
        shutil.rmtree(path, ignore_errors=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what a process left that was killed while it wrote a checkpoint."""
    for path in folder.glob(f".{_PREFIX}*.partial"):
        remove_leftovers(folder / path.name.removeprefix(".").removesuffix(".partial"))


def share_file(source: Path, target: Path) -> None:
    """Make ``target`` the same file as ``source``, which must never be changed in place; copy it where that fails."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _digits(checkpoint: Path) -> str:
    return checkpoint.name.removeprefix(_PREFIX).removesuffix(_EVALUATED)


def _check(path: Path) -> None:
    """Check the sizes and checksums of all files of a checkpoint.

    Raises:
        RunError: one differs, or a newer version wrote the checkpoint.
    """
    try:
        listed = json.loads((path / _CHECKSUMS).read_text(encoding="utf-8"))
        version = listed["format_version"]
        files = {str(name): (int(file["bytes"]), str(file["sha256"])) for name, file in listed["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(path, f"{_CHECKSUMS} cannot be read") from error
    if version != FORMAT_VERSION:
        raise RunError(
            f"a checkpoint must have format_version {FORMAT_VERSION}, but {path} has {str(version)[:20]}: another "
            "version of rankelastor wrote it; use that version, or remove the checkpoint"
        )
    if not {_VALUES, _TENSORS} <= files.keys():
        raise _damaged(path, f"{_CHECKSUMS} does not list all files")
    for name, (num_bytes, digest) in files.items():
        file = path / name
        if Path(name).name != name or not file.is_file():
            raise _damaged(path, f"{name[:80]} is missing")
        if file.stat().st_size != num_bytes:
            raise _damaged(path, f"{name} has {file.stat().st_size:,} bytes instead of {num_bytes:,}")
        if digest_of(file) != digest:
            raise _damaged(path, f"{name} has another checksum")


def digest_of(path: Path) -> str:
    """Compute the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(path: Path, what: str) -> RunError:
    return RunError(f"a checkpoint must be whole, but of {path} {what}; remove it, so that an older one is taken")
