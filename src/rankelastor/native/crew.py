"""A helper thread for kernels with few rows, see ``crew.c``: where it may help, and how rows are cut for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rankelastor.native.library import loaded_build

_FEWEST_ROWS = 16  # that are cut; with fewer, a part reads weights for longer than it computes
_is_in_crew: ContextVar[bool] = ContextVar("_is_in_crew", default=False)


@contextmanager
def crew() -> Iterator[None]:
    """Let a helper thread take parts of the kernels that this thread calls within the context.

    Nobody waits for a helper that has no core, and results are the same bit for bit whether it takes any part or none.
    Without kernels, or where the BLAS of PyTorch multiplies, whose bits depend on the number of rows, there is none.
    """
    build = loaded_build()
    if build is None or build.products != "tiles":
        yield
        return
    token = _is_in_crew.set(True)
    build.library.begin_crew()
    try:
        yield
    finally:
        build.library.end_crew()
        _is_in_crew.reset(token)


def is_in_crew() -> bool:
    """Tell whether this is within ``crew``, and a helper may take parts.

    Example:
        >>> is_in_crew()
        False
    """
    return _is_in_crew.get()


def parts_for_crew(rows: int) -> int:
    """Choose the number of parts to cut ``rows`` into within ``crew``: halves, since each part reads all weights.

    Example:
        >>> parts_for_crew(64), parts_for_crew(1)
        (2, 1)
    """
    return 2 if rows >= _FEWEST_ROWS else 1
