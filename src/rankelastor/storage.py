"""Write files and folders atomically: to a temporary path beside the target, renamed when complete."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rankelastor.errors import StorageError
from rankelastor.folder_lock import lock_folder
from rankelastor.places import refuse_address

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


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
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
    refuse_address(path, what="what is written", error=StorageError)
    path = Path(path)
    with explain_storage_errors(path):
        path = path.resolve()  # the target of a link is replaced, not the link
        if path.exists() and not path.is_file():
            raise StorageError(f"{path} must be a file that can be replaced, but it is not a file; choose another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            yield temporary
            _flush_to_disk(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``path``; put it in place of ``path`` on success, remove it on failure.

    An existing folder at ``path`` is replaced only when the new one is complete, and kept if nothing was written.
    One process at a time writes and the others wait here until it is done, so check again inside the context whether
    there is still something to do. Leftovers of a killed process are removed.

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
    refuse_address(path, what="what is written", error=StorageError)
    path = Path(path)
    with explain_storage_errors(path):
        path = path.resolve()  # the target of a link is replaced, not the link
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary, old = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.old")
        with lock_folder(temporary):
            try:
                _clear(temporary, old, path)
                yield temporary
                if any(temporary.iterdir()):
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
    if old.exists() and not path.exists():
        old.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _replace_folder(new: Path, path: Path, old: Path) -> None:
    if path.exists():
        path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


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
