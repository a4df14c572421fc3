"""Decompress a file as a stream: gzip, zstd, bz2, lz4, xz, and zip archives of one file.

Memory is bounded by the size of a read, also for a small file that decompresses to a huge one.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import IO, Literal, Protocol, Self

import pyarrow as pa

from rankelastor.errors import DataError
from rankelastor.remote.remote_path import AnyPath, sequential

Compression = Literal["gzip", "zstd", "bz2", "lz4", "xz", "zip"]

_MAGIC: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bz2"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),  # an empty archive
)
_BZ2_BLOCK = (b"1AY&SY", b"\x17rE8P\x90")  # what follows the level: a block, or the end of an empty stream
_BLOCK_BYTES = 1 << 18
_XZ_MEMORY_BYTES = 1 << 30
"""Largest dictionary of an xz stream: `xz -9` needs 65 MiB to decompress."""


def compression_of_bytes(head: bytes) -> Compression | None:
    r"""Recognise the compression of a file by its first bytes.

    Example:
        >>> compression_of_bytes(b"\x1f\x8b\x08"), compression_of_bytes(b"click,user")
        ('gzip', None)
    """
    found = next((compression for magic, compression in _MAGIC if head.startswith(magic)), None)
    if found == "bz2" and head[4:10] not in _BZ2_BLOCK:
        return None  # a text that begins with BZh
    return found


class _Decompressor(Protocol):
    def read(self, size: int | None) -> bytes: ...
    def close(self) -> None: ...


class CompressedFile:
    """The decompressed bytes of a file, read in order; ``compression`` None reads the bytes as stored.

    Raises:
        DataError: a zip archive is damaged, encrypted, or holds no file or several.
    """

    def __init__(self, file: AnyPath, compression: Compression | None) -> None:
        self._num_bytes = file.stat().st_size
        self._at_end = False
        self.text_name = file.name
        if compression in {"xz", "zip"}:
            self._stored: IO[bytes] = file.open("rb")
            try:
                self._open_here(file, compression)
            except BaseException:
                self._stored.close()
                raise
        else:
            self._stored = stored = sequential(file)
            self._text: _Decompressor = pa.CompressedInputStream(stored, compression) if compression else stored

    def _open_here(self, file: AnyPath, compression: Compression | None) -> None:
        if compression == "xz":
            self._text = _XzText(self._stored)
        else:
            archive, member = _only_member(file, self._stored)
            self.text_name = member.filename
            self._text = _ZipText(file, archive, member)

    @property
    def position(self) -> int:
        """Number of stored bytes read so far; all of them at the end of the text."""
        return self._num_bytes if self._at_end else int(self._stored.tell())

    def read(self, size: int | None = None) -> bytes:
        """Read at most ``size`` decompressed bytes; None reads all.

        Raises:
            OSError: the compressed stream is damaged or cut off.
        """
        data = self._text.read(size)
        self._at_end = self._at_end or (not data and size != 0)
        return data

    def close(self) -> None:
        """Close the file."""
        self._text.close()
        self._stored.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _XzText:
    """The text of an xz file, which may hold several streams one after the other."""

    def __init__(self, stored: IO[bytes]) -> None:
        self._stored = stored
        self._decompressor: lzma.LZMADecompressor | None = self._new()
        self._held = b""

    def read(self, size: int | None) -> bytes:
        """Read ``size`` bytes, or what is left."""
        parts: list[bytes] = []
        missing = -1 if size is None else size
        while missing and (part := self._read_some(missing)):
            parts.append(part)
            missing -= len(part) if size is not None else 0
        return b"".join(parts)

    def _read_some(self, at_most: int) -> bytes:
        while self._decompressor is not None:
            if not self._held and self._decompressor.needs_input:
                self._held = self._stored.read(_BLOCK_BYTES)
                if not self._held:
                    raise OSError("Truncated compressed stream")
            try:
                data = self._decompressor.decompress(self._held, at_most)
            except lzma.LZMAError as error:
                raise OSError(f"compressed stream: {error}") from error
            self._held = b""
            if self._decompressor.eof:
                self._begin_next(self._decompressor.unused_data)
            if data:
                return data
        return b""

    def close(self) -> None:
        self._decompressor = None

    def _begin_next(self, rest: bytes) -> None:
        """Begin the next stream, behind padding of zeros, if there is one."""
        self._held = rest.lstrip(b"\0")
        while not self._held and (more := self._stored.read(_BLOCK_BYTES)):
            self._held = more.lstrip(b"\0")
        self._decompressor = self._new() if self._held else None

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)


class _ZipText:
    """The text of the one file in a zip archive."""

    def __init__(self, file: AnyPath, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        try:
            self._text = archive.open(member)
        except (NotImplementedError, RuntimeError) as error:  # another method, or a password
            raise DataError(f"{file} must be a zip archive that can be read, but {error}; unpack it") from error
        self._archive = archive

    def read(self, size: int | None) -> bytes:
        try:
            return self._text.read(-1 if size is None else size)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
            raise OSError(f"compressed stream: {error}") from error

    def close(self) -> None:
        self._text.close()
        self._archive.close()


def _only_member(file: AnyPath, stored: IO[bytes]) -> tuple[zipfile.ZipFile, zipfile.ZipInfo]:
    try:
        archive = zipfile.ZipFile(stored)
    except zipfile.BadZipFile as error:
        raise DataError(
            f"{file} must be a whole zip archive, but it is damaged or cut off ({error}); copy or download it again"
        ) from error
    members = [member for member in archive.infolist() if not _is_beside_the_data(member)]
    if len(members) != 1:
        held = ", ".join(member.filename for member in members[:5]) + (", ..." if len(members) > 5 else "")  # noqa: PLR2004 - enough to recognise the archive
        what = f"{len(members)}: {held}" if members else "none"
        raise DataError(f"{file} must hold one file, as a zip archive of data does, but holds {what}; unpack it")
    if members[0].flag_bits & 1:
        raise DataError(f"{file} must be a zip archive without a password, but has one; unpack it")
    return archive, members[0]


def _is_beside_the_data(member: zipfile.ZipInfo) -> bool:
    """Tell whether a member is a folder or a file that no reader wants: its name begins with ``_`` or ``.``."""
    return member.is_dir() or any(part.startswith(("_", ".")) for part in PurePosixPath(member.filename).parts)
