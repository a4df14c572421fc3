"""One process at a time in a temporary folder: a lock that ends with the process, however it ends."""

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
def folder_of_one_writer(folder: Path) -> Iterator[None]:
    """Make ``folder`` if need be and hold it; wait while another process, or thread, holds it.

    The system drops the lock of a killed process, so a folder that can be locked belongs to nobody: no file of
    process numbers can be out of date. Where the disk knows no locks (some network disks) nothing waits.
    """
    holder = _hold(folder)
    while not _is_still_there(folder, holder):  # the one who held it renamed or removed it
        os.close(holder)
        holder = _hold(folder)
    try:
        yield
    finally:
        os.close(holder)


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
        _logger.warning("the disk of %s knows no locks: let no second process write there", folder)


def _is_still_there(folder: Path, holder: int) -> bool:
    try:
        return os.path.samestat(folder.stat(), os.fstat(holder))
    except FileNotFoundError:
        return False
