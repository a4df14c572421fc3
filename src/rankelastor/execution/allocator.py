"""Tell glibc to keep large blocks of memory instead of giving them back to the system after every operation."""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -3, -4, -8
_LARGEST = 2**31 - 1
_ONE_GIB = 2**30


def keep_large_blocks() -> bool:
    """Make ``malloc`` reuse large blocks from now on in this process; False where the C library is not glibc.

    By default glibc maps each block above 32 MiB anew and gives it back when it is freed, so that every activation is
    faulted in page by page: half the time of a plain training step. Memory that was once needed then stays with the
    process until it ends.

    Example:
        >>> isinstance(keep_large_blocks(), bool)
        True
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    accepted = [
        mallopt(_M_MMAP_THRESHOLD, _ONE_GIB),
        mallopt(_M_TRIM_THRESHOLD, _LARGEST),
        mallopt(_M_MMAP_MAX, 0),
        mallopt(_M_ARENA_MAX, 1),  # those of threads of their own are cut into heaps of 64 MiB, and given back
    ]
    return all(accepted)
