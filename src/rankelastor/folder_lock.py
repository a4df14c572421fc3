"""A lock on a temporary folder, so that one process at a time writes it; the lock ends with the process.

A folder at this path is taken only if it is a real folder of the current user: a link, or another user's folder, may
have been put there so that something else is emptied or filled.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rankelastor.errors import StorageError

if sys.platform != "win32":
    import fcntl

_logger = logging.getLogger(__name__)
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Create ``folder`` if it does not exist, and lock it; wait while another process or thread holds the lock.

    The operating system releases the lock of a killed process, so a lock is never stale, as a file of process
    numbers could be. On file systems without locks (some network disks) no process waits.

    Raises:
        StorageError: something else than a folder of the current user lies there, for example a link.
    """
    holder = _hold(folder)
    while not _is_still_there(folder, holder):  # the previous holder renamed or removed the folder
        os.close(holder)
        holder = _hold(folder)
    try:
        yield
    finally:
        os.close(holder)


def try_to_hold(folder: Path) -> int | None:
    """Lock an existing folder without waiting; return the descriptor to close later, or None if another holds the lock.

    On file systems without locks it is taken for granted.
    """
    holder = os.open(folder, os.O_RDONLY)
    if sys.platform == "win32":
        return holder
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(holder)
        return None
    except OSError:
        _logger.warning("the file system of %s has no locks: do not let a second process write there", folder)
    return holder


def is_held(folder: Path) -> bool:
    """Whether another process holds the lock of an existing folder; False on file systems without locks."""
    if sys.platform == "win32":
        return False
    holder = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(holder)
    return False


@contextmanager
def lock_if_idle(folder: Path) -> Iterator[bool]:
    """Lock a folder that exists unless a process holds it; yield whether that was possible.

    Example:
        >>> with lock_if_idle(Path("no such folder")) as is_idle:
        ...     is_idle
        False
    """
    try:
        require_own_folder(folder)
        holder = os.open(folder, _OPEN_FLAGS)
    except (OSError, StorageError):
        yield False
        return
    try:
        yield _lock_at_once(holder) and _is_still_there(folder, holder)
    finally:
        os.close(holder)


def require_own_folder(folder: Path) -> None:
    """Check that a path that exists is a real folder of the current user.

    Raises:
        StorageError: it is a link, a file, or a folder of another user.
    """
    status = folder.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise StorageError(
            f"{folder} must be a folder of temporary files, but it is a link to {folder.readlink()}, which would be "
            "emptied; remove the link"
        )
    if not stat.S_ISDIR(status.st_mode):
        raise StorageError(f"{folder} must be a folder of temporary files, but it is none; remove it")
    if not is_own(status):
        raise StorageError(
            f"{folder} must be yours, but it belongs to the user {status.st_uid}; remove it, or choose another place"
        )


def is_own(status: os.stat_result) -> bool:
    """Whether a file or folder belongs to the current user; always true where the system has no owners."""
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()


def _hold(folder: Path) -> int:
    while True:
        try:
            folder.mkdir(mode=0o777)
        except FileExistsError:
            try:
                require_own_folder(folder)
            except FileNotFoundError:
                continue
        try:
            holder = os.open(folder, _OPEN_FLAGS)
        except FileNotFoundError:
            continue
        _lock(holder, folder)
        return holder


def _lock(holder: int, folder: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _logger.warning("another process is writing %s: waiting until it is done", folder)
        fcntl.flock(holder, fcntl.LOCK_EX)
    except OSError:
        _logger.warning("the file system of %s has no locks: do not let a second process write there", folder)


def _lock_at_once(holder: int) -> bool:
    """Lock without waiting; False if another process holds the lock, or the file system has none."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_still_there(folder: Path, holder: int) -> bool:
    try:
        return os.path.samestat(folder.lstat(), os.fstat(holder))
    except FileNotFoundError:
        return False
