"""A path at an address, with the names of ``pathlib.Path``, so that readers take either."""

from __future__ import annotations

import fnmatch
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Self

import pyarrow as pa
from pyarrow import fs

from rankelastor.errors import RankElastorError
from rankelastor.places import address_of, refuse_address, refuse_secrets
from rankelastor.remote.connections import connect
from rankelastor.remote.failures import explain_failures, failure

_SCHEMES = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "gcs": "gs", "hdfs": "hdfs"}
_BUFFER_BYTES = 4 << 20
_HEAD_BYTES = 4096
_MARKS = "*?["


@dataclass(frozen=True)
class RemoteState:
    """Size and time of change of a file, named as in ``os.stat_result``."""

    st_size: int
    st_mtime_ns: int


@dataclass(frozen=True, order=True)
class RemotePath:
    """A file or folder at an address; nothing is asked of the network until a method needs it.

    Attributes:
        scheme: ``s3``, ``gs`` or ``hdfs``.
        authority: the bucket; for HDFS host and port.
        key: the path below it, without a slash at its ends.

    Example:
        >>> path = RemotePath.of("s3://clicks/dt=2024-01-01/part-0.csv.gz")
        >>> path.name, path.suffixes, str(path.parent), str(path.parent / "a.csv")
        ('part-0.csv.gz', ['.csv', '.gz'], 's3://clicks/dt=2024-01-01', 's3://clicks/dt=2024-01-01/a.csv')
    """

    scheme: str
    authority: str
    key: str

    @classmethod
    def of(cls, address: str) -> Self:
        """Parse an address whose scheme is one of ``s3``, ``gs`` and ``hdfs``, or another name of these."""
        scheme, _, rest = address.partition("://")
        authority, _, key = rest.partition("/")
        parts = [part for part in key.split("/") if part not in {"", "."}]
        return cls(_SCHEMES[scheme.lower()], authority, "/".join(parts))

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}" + (f"/{self.key}" if self.key else "")

    def __truediv__(self, name: str | PurePosixPath) -> RemotePath:
        return RemotePath.of(f"{self}/{name}")

    @property
    def _pure(self) -> PurePosixPath:
        return PurePosixPath(self.key)

    @property
    def name(self) -> str:
        """The last part, or the bucket."""
        return self._pure.name or self.authority

    @property
    def suffix(self) -> str:
        """The ending of the name."""
        return self._pure.suffix

    @property
    def suffixes(self) -> list[str]:
        """The endings of the name."""
        return self._pure.suffixes

    @property
    def parts(self) -> tuple[str, ...]:
        """The bucket and the parts below it."""
        return (self.authority, *self._pure.parts)

    @property
    def parent(self) -> RemotePath:
        """The folder."""
        return RemotePath.of(f"{self.scheme}://{self.authority}/{self._pure.parent}")

    def as_posix(self) -> str:
        """Write the address."""
        return str(self)

    def resolve(self) -> RemotePath:
        """Return the path itself: an address has no links."""
        return self

    absolute = resolve

    def is_relative_to(self, other: object) -> bool:
        """Tell whether the path lies in a folder at an address, or is it."""
        return isinstance(other, RemotePath) and (
            (self.scheme, self.authority) == (other.scheme, other.authority)
            and (not other.key or self._pure.is_relative_to(other.key))
        )

    def relative_to(self, other: RemotePath) -> PurePosixPath:
        """Return the path below a folder that it lies in."""
        assert self.is_relative_to(other), "ask is_relative_to first"
        return self._pure.relative_to(other.key) if other.key else self._pure

    @property
    def file_system(self) -> fs.FileSystem:
        """The file system of the address."""
        with explain_failures(str(self)):
            return connect(self.scheme, self.authority)

    @property
    def inner(self) -> str:
        """The path as the file system names it."""
        if self.scheme == "hdfs":
            return f"/{self.key}"
        return f"{self.authority}/{self.key}" if self.key else self.authority

    def _info(self) -> fs.FileInfo:
        with explain_failures(str(self)):
            return self.file_system.get_file_info(self.inner)

    def exists(self) -> bool:
        """Tell whether there is a file, or a folder with something in it."""
        return bool(self._info().type != fs.FileType.NotFound)

    def is_file(self) -> bool:
        """Tell whether there is a file."""
        return bool(self._info().type == fs.FileType.File)

    def is_dir(self) -> bool:
        """Tell whether there is a folder with something in it."""
        return bool(self._info().type == fs.FileType.Directory)

    def require_bucket(self) -> None:
        """Raise if there is no such bucket; asked where something was not found.

        Raises:
            RemoteError: there is no such bucket.
        """
        bucket = RemotePath(self.scheme, self.authority, "")
        if self.scheme != "hdfs" and not bucket.exists():
            raise failure(str(self), OSError("NO_SUCH_BUCKET"))

    def stat(self) -> RemoteState:
        """Read size and time of change.

        Raises:
            FileNotFoundError: there is no file.
        """
        info = self._info()
        if info.type != fs.FileType.File:
            raise FileNotFoundError(2, "it does not exist", str(self))
        return RemoteState(int(info.size), int(info.mtime_ns or 0))

    def files_below(self) -> list[RemotePath]:
        """List all files below a folder, in order of their paths; one that does not exist has none.

        Raises:
            RemoteError: there is no such bucket, or it may not be listed.
        """
        with explain_failures(str(self)):
            selector = fs.FileSelector(self.inner, recursive=True, allow_not_found=True)
            found = self.file_system.get_file_info(selector)
        return sorted(self._at(info.path) for info in found if info.type == fs.FileType.File)

    def sizes_below(self) -> dict[str, int]:
        """List the sizes in bytes of all files below a folder, by their paths in it."""
        with explain_failures(str(self)):
            selector = fs.FileSelector(self.inner, recursive=True, allow_not_found=True)
            found = self.file_system.get_file_info(selector)
        files = {self._at(info.path): int(info.size) for info in found if info.type == fs.FileType.File}
        return {file.relative_to(self).as_posix(): size for file, size in files.items()}

    def glob_below(self) -> list[RemotePath]:
        """List the files and folders that the path matches as a pattern (``*``, ``?``, ``[...]``, ``**``), in order."""
        wanted = self._pure.parts
        fixed = next((place for place, part in enumerate(wanted) if any(mark in part for mark in _MARKS)), len(wanted))
        base = RemotePath(self.scheme, self.authority, "/".join(wanted[:fixed]))
        found: set[RemotePath] = set()
        for file in base.files_below():
            parts = PurePosixPath(file.key).parts
            for stop in range(fixed + 1, len(parts) + 1):
                if _matches(parts[fixed:stop], wanted[fixed:]):
                    found.add(RemotePath(self.scheme, self.authority, "/".join(parts[:stop])))
        return sorted(found)

    def names(self) -> list[str]:
        """List the names in a folder, in order; one that does not exist has none."""
        with explain_failures(str(self)):
            found = self.file_system.get_file_info(fs.FileSelector(self.inner, allow_not_found=True))
        return sorted(info.base_name for info in found)

    def _at(self, inner: str) -> RemotePath:
        if self.scheme == "hdfs":
            return RemotePath.of(f"hdfs://{self.authority}/{inner.partition('://')[2].partition('/')[2] or inner}")
        return RemotePath.of(f"{self.scheme}://{inner}")

    def stream(self) -> pa.NativeFile:
        """Open the file to be read in order, through a buffer of a few megabytes."""
        return pa.PythonFile(self.open(), mode="r")  # Arrow's own buffered stream does not tell its position

    def random_access(self) -> pa.NativeFile:
        """Open the file to be read at any place; each read is one request."""
        with explain_failures(str(self)):
            return self.file_system.open_input_file(self.inner)

    def open(self, mode: str = "rb", encoding: str | None = None) -> IO[bytes]:
        """Open the file to be read as bytes, through a buffer.

        Raises:
            FileNotFoundError: there is no file.
        """
        assert mode == "rb", "files at addresses are written whole, by storage.py"
        assert encoding is None, "bytes have no encoding"
        return io.BufferedReader(self.random_access(), _BUFFER_BYTES)

    @cached_property
    def head(self) -> bytes:
        """The first bytes, which readers ask for again and again: read once for each object."""
        with self.random_access() as stored, explain_failures(str(self)):
            return bytes(stored.read(_HEAD_BYTES))

    def read_bytes(self) -> bytes:
        """Read all of the file."""
        with self.random_access() as file, explain_failures(str(self)):
            return bytes(file.read())

    def read_text(self, encoding: str = "utf-8") -> str:
        """Read all of the file as text."""
        return self.read_bytes().decode(encoding)

    def read_range(self, start: int, stop: int) -> pa.Buffer:
        """Read the bytes from ``start`` to before ``stop``."""
        with self.random_access() as file, explain_failures(str(self)):
            file.seek(start)
            return file.read_buffer(stop - start)

    def upload(self, source: Path) -> None:
        """Write the file from one on the disk, whole or not at all."""
        with (
            explain_failures(str(self)),
            source.open("rb") as file,
            self.file_system.open_output_stream(self.inner, compression=None) as target,
        ):
            while piece := file.read(_BUFFER_BYTES):
                target.write(piece)

    def write_bytes(self, data: bytes) -> None:
        """Write the file, whole or not at all."""
        with explain_failures(str(self)), self.file_system.open_output_stream(self.inner, compression=None) as target:
            target.write(data)

    def unlink(self) -> None:
        """Remove the file."""
        with explain_failures(str(self)):
            self.file_system.delete_file(self.inner)


AnyPath = Path | RemotePath
"""A path on the disk or at an address."""


def place_of(place: str | AnyPath, *, what: str, error: type[RankElastorError]) -> AnyPath:
    """Return what was given as a path on the disk, or at an address that can be opened.

    Args:
        place: what was given.
        what: what the place is for, as it begins a message.
        error: the class of the errors.

    Example:
        >>> from rankelastor.errors import DataError
        >>> place_of("s3://bucket/a.csv", what="files.all", error=DataError)
        RemotePath(scheme='s3', authority='bucket', key='a.csv')

    Raises:
        RankElastorError: an ``error``: the scheme is not one of these, or the address holds what is secret.
    """
    if isinstance(place, RemotePath):
        return place
    address = address_of(place)
    if address is None:
        return Path(place)
    refuse_secrets(address, what=what, error=error)
    scheme, _, rest = address.partition("://")
    if scheme.lower() not in _SCHEMES:
        if scheme.lower() == "file":
            refuse_address(address, what=what, error=error)
        raise error(
            f"{what} must be a path, or an address of s3://, gs:// or hdfs://, but {address} was given; try copying it "
            "there, or mounting the place as a folder"
        )
    if scheme.lower() not in {"hdfs"} and not rest.partition("/")[0]:
        raise error(f"{what} must name a bucket, as s3://BUCKET/PATH does, but {address} was given")
    return RemotePath.of(address)


def joined(folder: AnyPath, place: str, *, what: str, error: type[RankElastorError]) -> AnyPath:
    """Return a place that counts from a folder unless it is an address, or a path from the root of the disk.

    Example:
        >>> from rankelastor.errors import DataError
        >>> str(joined(RemotePath.of("s3://clicks/2024"), "a.csv", what="files.all", error=DataError))
        's3://clicks/2024/a.csv'
    """
    if isinstance(folder, RemotePath) and address_of(place) is None and not Path(place).is_absolute():
        return folder / place
    own = place_of(place, what=what, error=error)
    return own if isinstance(own, RemotePath) or isinstance(folder, RemotePath) else folder / own


def sequential(file: AnyPath) -> pa.NativeFile:
    """Open a file of the disk or of an address to be read in order."""
    return file.stream() if isinstance(file, RemotePath) else pa.OSFile(str(file))


def mapped(file: AnyPath) -> pa.NativeFile:
    """Open a file to be read at any place: mapped into memory, or at an address by requests."""
    return file.random_access() if isinstance(file, RemotePath) else pa.memory_map(str(file))


def _matches(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_matches(parts[skip:], wanted[1:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], wanted[0]) and _matches(parts[1:], wanted[1:])


def head_of(file: AnyPath, num_bytes: int) -> bytes:
    """Read the first bytes of a file, 4096 at most, by one request where it lies at an address.

    Raises:
        OSError: there is no file, or it cannot be read.
    """
    if isinstance(file, RemotePath):
        return file.head[:num_bytes]
    with file.open("rb") as opened:
        return opened.read(num_bytes)


def readable(file: AnyPath) -> Path | pa.NativeFile:
    """Return what Arrow's readers of Parquet take: the path on the disk, or an open file."""
    return file.random_access() if isinstance(file, RemotePath) else file
