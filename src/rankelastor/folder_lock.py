"""A lock on a temporary folder, so that one process at a time writes it; the lock ends with the process."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_logger = logging.getLogger(__name__)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Create ``folder`` if it does not exist, and lock it; wait while another process or thread holds the lock.

    The operating system releases the lock of a killed process, so a lock is never stale, as a file of process
    numbers could be. On file systems without locks (some network disks) no process waits.
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


def _hold(folder: Path) -> int:
    while True:
        folder.mkdir(exist_ok=True)
        try:
            holder = os.open(folder, os.O_RDONLY)
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


def _is_still_there(folder: Path, holder: int) -> bool:
    try:
        return os.path.samestat(folder.stat(), os.fstat(holder))
    except FileNotFoundError:
        return False
