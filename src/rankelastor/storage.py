"""Write files and folders atomically: to a temporary path beside the target, renamed when complete.

What is renamed has reached the disk before, files and folders, so that a power cut leaves the old one or the new one.
Temporary files lie in a folder that no other user can enter and whose name cannot be guessed. Links are followed only
where they are the current user's own and name the target itself; a link in place of a temporary folder is refused.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rankelastor.errors import StorageError
from rankelastor.folder_lock import is_own, lock_folder, lock_if_idle, require_own_folder
from rankelastor.places import refuse_address
from rankelastor.remote.remote_path import AnyPath, RemotePath
from rankelastor.remote.upload import uploaded_file, uploaded_folder

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EFBIG: "the file is larger than allowed here; free some space or raise the limit",
    errno.EACCES: "permission is denied; choose a place where you can write",
    errno.EROFS: "the disk is read-only; choose a place where you can write",
    errno.ENOTDIR: "a part of the path is a file; choose another place",
    errno.EEXIST: "a part of the path is a file; choose another place",
    errno.EISDIR: "it is a folder; choose another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EPERM: "it is not permitted; choose a place where you can write",
    errno.ELOOP: "its links form a circle; choose another place",
    errno.EIO: "the disk reports an error; choose another disk",
}

_PARTIAL = ".partial"
_LONGEST_NAME = 200
"""Characters of a name that a temporary name takes over: file systems allow 255 bytes."""


@contextmanager
def whole_file(path: str | AnyPath) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` on success, remove it on any failure.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with whole_file(Path(folder) / "numbers.txt") as temporary:
        ...         _ = temporary.write_text("1 2 3")
        ...     sorted(item.name for item in Path(folder).iterdir())
        ['numbers.txt']

    Raises:
        StorageError: the disk is full or the path cannot be written; no file is left behind.
    """
    if isinstance(path, RemotePath):
        with uploaded_file(path) as temporary:
            yield temporary
        return
    refuse_address(path, what="what is written", error=StorageError)
    path = Path(path)
    with explain_storage_errors(path):
        path = _resolve(path)
        if path.exists() and not path.is_file():
            raise StorageError(f"{path} must be a file that can be replaced, but it is not a file; choose another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_dead_files(path)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name[:_LONGEST_NAME]}.", suffix=_PARTIAL, dir=path.parent))
        with lock_folder(scratch):  # tells others that it is in use
            try:
                temporary = scratch / path.name
                yield temporary
                _flush_to_disk(temporary)
                temporary.replace(path)
                _flush_to_disk(path.parent)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def whole_folder(path: str | AnyPath, *, last: str = "") -> Iterator[Path]:
    """Yield an empty temporary folder beside ``path``; put it in place of ``path`` on success, remove it on failure.

    An existing folder at ``path`` is replaced only when the new one is complete, and kept if nothing was written.
    One process at a time writes and the others wait here until it is done, so check again inside the context whether
    there is still something to do. Leftovers of a killed process are removed.

    At an address no process waits, and the file called ``last`` is written last, see ``remote.upload``.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with whole_folder(Path(folder) / "data") as temporary:
        ...         _ = (temporary / "numbers.txt").write_text("1 2 3")
        ...     sorted(str(item.relative_to(folder)) for item in Path(folder).rglob("*"))
        ['data', 'data/numbers.txt']

    Raises:
        StorageError: the disk is full or the path cannot be written; no file is left behind.
    """
    if isinstance(path, RemotePath):
        with uploaded_folder(path, last=last) as temporary:
            yield temporary
        return
    refuse_address(path, what="what is written", error=StorageError)
    path = Path(path)
    with explain_storage_errors(path):
        path = _resolve(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary, old = _beside(path)
        with lock_folder(temporary):
            try:
                _clear(temporary, old, path)
                yield temporary
                if any(temporary.iterdir()):
                    _flush_tree_to_disk(temporary)
                    _replace_folder(temporary, path, old)
                else:
                    temporary.rmdir()
            except BaseException:  # not `finally`: after the rename the path may be a new folder of another process
                shutil.rmtree(temporary, ignore_errors=True)
                raise


def _clear(temporary: Path, old: Path, path: Path) -> None:
    """Remove the leftovers of a killed process; restore the old folder if it was killed between its two renames."""
    for item in temporary.iterdir():
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()
    if os.path.lexists(old):
        require_own_folder(old)
    if old.exists() and not path.exists():
        old.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def remove_leftovers(path: str | Path) -> None:
    """Remove what a killed process left beside a folder that ``whole_folder`` writes; what is in use stays."""
    with suppress(OSError, StorageError):
        path = _resolve(Path(path))
        temporary, old = _beside(path)
        with lock_if_idle(temporary) as is_idle:
            if is_idle:
                _clear(temporary, old, path)
                temporary.rmdir()


def _replace_folder(new: Path, path: Path, old: Path) -> None:
    if path.exists():
        path.rename(old)
    new.rename(path)
    _flush_to_disk(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _beside(path: Path) -> tuple[Path, Path]:
    """The paths of the temporary folder and of the old folder on its way out."""
    return path.with_name(f".{path.name}{_PARTIAL}"), path.with_name(f".{path.name}.old")


def _resolve(path: Path) -> Path:
    """Follow the user's own links, since the target of a link is replaced and not the link.

    Raises:
        StorageError: the link was made by another user, who thereby chooses what is overwritten.
    """
    if path.is_symlink() and not (is_own(path.lstat()) or path.lstat().st_uid == 0):
        raise StorageError(
            f"{path} must be no link of another user, but user {path.lstat().st_uid} made it, and it leads to "
            f"{path.readlink()}; remove it, or choose another name"
        )
    return path.resolve()


def _remove_dead_files(path: Path) -> None:
    """Remove the temporary folders of processes that were killed while they wrote ``path``."""
    start = f".{path.name[:_LONGEST_NAME]}."
    with os.scandir(path.parent) as entries:
        left = [Path(entry.path) for entry in entries if entry.name.startswith(start) and entry.name.endswith(_PARTIAL)]
    for folder in left:
        with lock_if_idle(folder) as is_idle:
            if is_idle and {item.name for item in folder.iterdir()} <= {path.name}:
                shutil.rmtree(folder, ignore_errors=True)


def _flush_tree_to_disk(folder: Path) -> None:
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            _flush_to_disk(Path(parent) / name)
        _flush_to_disk(Path(parent))


def _flush_to_disk(path: Path) -> None:
    """Wait until a file or folder has reached the disk; Windows cannot do that for folders."""
    if sys.platform == "win32" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explain_storage_errors(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of a path that cannot be written into a ``StorageError`` that says what to do.

    Raises:
        StorageError: the disk is full, permission is denied, or a part of the path is a file.
    """
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(_number(error))
        if advice is None:
            raise
        raise StorageError(f"{path} cannot be written: {advice}") from error


def _number(error: OSError) -> int:
    """Find the number of an error: some libraries give it in the text alone, and `shutil` gives a list of errors."""
    found = re.search(r"\[Errno (\d+)\]|os error (\d+)", str(error))
    return error.errno or (int(found[1] or found[2]) if found else 0)
