"""Checksums of files and of bytes: what was written is what is read.

The checksum of up to 8 MiB is their SHA-256. That of more is the SHA-256 of the SHA-256 digests of all blocks of 8 MiB,
so that several cores can compute it.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankelastor.remote.remote_path import AnyPath, RemotePath, RemoteState
from rankelastor.usable_cores import usable_cores

BLOCK_BYTES = 8 << 20
_MOST_THREADS = 4

_found_whole: set[tuple[str, str, int, int, int]] = set()
"""Files that were found whole, with inode, size and time of change, so that each is read once in a process."""


@dataclass(frozen=True)
class Checksum:
    """Size and checksum of a file, as they stand in a folder's list of checksums.

    Attributes:
        num_bytes: size of the file in bytes.
        sha256: its checksum, see the module docstring.
    """

    num_bytes: int
    sha256: str


def checksum_of_bytes(data: bytes | memoryview) -> str:
    """Compute the checksum of bytes as hexadecimal text.

    Example:
        >>> checksum_of_bytes(b"")[:16]
        'e3b0c44298fc1c14'
    """
    view = memoryview(data)
    if len(view) <= BLOCK_BYTES:
        return hashlib.sha256(view).hexdigest()
    starts = range(0, len(view), BLOCK_BYTES)
    with ThreadPoolExecutor(min(_MOST_THREADS, usable_cores().number)) as pool:
        digests = pool.map(lambda start: hashlib.sha256(view[start : start + BLOCK_BYTES]).digest(), starts)
        return hashlib.sha256(b"".join(digests)).hexdigest()


class RunningChecksum:
    """The checksum of bytes that come piece by piece: see ``checksum_of_bytes``.

    Example:
        >>> running = RunningChecksum()
        >>> for piece in (b"some", b" bytes"):
        ...     running.add(piece)
        >>> running.value() == checksum_of_bytes(b"some bytes")
        True
    """

    def __init__(self) -> None:
        self._digests: list[bytes] = []
        self._block = hashlib.sha256()
        self._room = BLOCK_BYTES

    def add(self, piece: bytes | memoryview) -> None:
        """Take the next bytes."""
        view = memoryview(piece)
        while view:
            if not self._room:
                self._digests.append(self._block.digest())
                self._block, self._room = hashlib.sha256(), BLOCK_BYTES
            part = view[: self._room]
            self._block.update(part)
            view, self._room = view[len(part) :], self._room - len(part)

    def value(self) -> str:
        """Return the checksum of all bytes so far, as hexadecimal text."""
        if not self._digests:
            return self._block.hexdigest()
        return hashlib.sha256(b"".join([*self._digests, self._block.digest()])).hexdigest()


def checksum_of_json(values: Any) -> str:
    """Compute the checksum of plain values; the order of keys and the spelling of the text do not count.

    Example:
        >>> checksum_of_json({"a": 1, "b": 2.0}) == checksum_of_json({"b": 2.0, "a": 1})
        True
    """
    return checksum_of_bytes(json.dumps(values, sort_keys=True, separators=(",", ":")).encode())


def checksum_of_file(path: AnyPath) -> Checksum:
    """Compute size and checksum of a file.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(path, RemotePath):
        data = path.read_bytes()
        return Checksum(len(data), checksum_of_bytes(data))
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            return Checksum(0, checksum_of_bytes(b""))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
            return Checksum(size, checksum_of_bytes(view))


def checksums_below(folder: Path, files: Iterable[Path]) -> dict[str, Checksum]:
    """Compute the checksums of files, by path relative to ``folder`` with ``/`` between its parts, in order."""
    return {path.relative_to(folder).as_posix(): checksum_of_file(path) for path in sorted(files)}


def find_damage(path: AnyPath, expected: Checksum, *, again: bool = True) -> str | None:
    """Compare a file with its checksum.

    Args:
        path: the file.
        expected: what it was when it was written.
        again: read a file that this process has found whole, and that has not changed since, once more.

    Returns:
        What is wrong as the end of a sentence, or None.
    """
    try:
        status = path.stat() if isinstance(path, RemotePath) else path.lstat()
        if status.st_size != expected.num_bytes:
            return f"it has {status.st_size:,} bytes and not {expected.num_bytes:,}"
        key = (str(path.absolute()), expected.sha256, _inode(status), status.st_size, status.st_mtime_ns)
        if not again and key in _found_whole:
            return None
        if checksum_of_file(path).sha256 != expected.sha256:
            return "its contents are not what was written (the checksum differs)"
    except FileNotFoundError:
        return "there is no such file"
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"
    _found_whole.add(key)
    return None


def _inode(status: os.stat_result | RemoteState) -> int:
    return 0 if isinstance(status, RemoteState) else status.st_ino
