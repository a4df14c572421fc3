"""What the command line changes in its own process, and the library in nobody's: memory, threads, what is imported."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
from collections.abc import MutableMapping, Sequence
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING

from rankelastor.usable_cores import limits_for_libraries

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_SELDOM = 500_000
"""New objects between two collections of garbage while modules are imported, which make hundreds of thousands."""
_USUAL = gc.get_threshold()


def start_quickly() -> None:
    """Collect garbage seldom until work begins: imports make objects that stay, and looking through them takes .3 s."""
    gc.set_threshold(_SELDOM)


def wait_asleep(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP's threads wait for one another asleep, but for some microseconds, unless the user says otherwise.

    By default they spin, which keeps other processes, and the threads waited for, from the cores of a busy machine: a
    training of small batches beside other work took six times as long. It takes effect where torch is imported later.
    """
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", "1000")


def keep_to_quota() -> None:
    """Let libraries that are loaded later have no more threads than a container's quota has cores."""
    os.environ.update(limits_for_libraries())


def begin_to_compute() -> None:
    """Make this process ready to train or to score: as ``begin_to_work``, and large blocks of memory are kept."""
    from rankelastor.execution.allocator import keep_large_blocks

    keep_large_blocks()
    begin_to_work()


def begin_to_work() -> None:
    """Make this process ready for long work, after a verb has imported what it needs.

    What was imported is left out when garbage is collected, as often as usual from here on; Arrow does without pandas.
    """
    if gc.get_threshold()[0] == _SELDOM:  # the process is the command's own, and not one that calls a verb
        leave_pandas_out()
        gc.freeze()
        gc.set_threshold(*_USUAL)


def leave_pandas_out() -> None:
    """Let Arrow do without pandas, which it imports with its first array, in .4 s, to know frames when it sees them.

    A later ``to_pandas`` still imports it.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    hiding = _Hiding()
    sys.meta_path.insert(0, hiding)
    try:
        pa.array([0.0]).to_numpy()
    finally:
        sys.meta_path.remove(hiding)


class _Hiding(MetaPathFinder):
    """Says that pandas is not installed."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the signature of finders
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Raise for pandas, and leave every other module to the usual finders."""
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left out here", name=fullname)
        return None


def end_quickly() -> None:
    """Leave all objects out of the last collections of garbage, which would look through each of them."""
    gc.freeze()


class QuickEnd:
    """Ends the process when all that was registered for its end is done, without taking its modules apart.

    Taking PyTorch's table of operators apart takes .2 s. What is registered first runs last: make it before libraries
    are loaded that have something to do at the end.

    Attributes:
        code: exit code of the process; None leaves it, and the whole end, to the interpreter.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        atexit.register(self._leave)

    def _leave(self) -> None:
        if self.code is None:
            return
        logging.shutdown()  # which was registered before
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None and not stream.closed:
                    stream.flush()
        except (OSError, ValueError):  # the interpreter says so
            return
        os._exit(self.code)
