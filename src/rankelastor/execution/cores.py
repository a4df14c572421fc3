"""Share the CPU cores: several Python threads with one core each, or one thread whose kernels use all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import numpy as np
import torch

from rankelastor.execution.forked import require_working_threads
from rankelastor.models.ranker import Ranker
from rankelastor.native.crew import crew
from rankelastor.usable_cores import UsableCores, usable_cores

Result = TypeVar("Result")
_DENORMAL, _ONE = np.uint32(1).view(np.float32), np.float32(1)
BUSY_WORK = 2**30
"""Fewest multiply-adds per batch for which Python threads share it. Measured: at four times this both are equal."""

TINY_WORK = 2**23
"""Multiply-adds per batch below which one core computes a step: about a millisecond of arithmetic, less than it takes
to wait for other cores at each operation. On busy machines waiting took 90 % of a small training."""


def is_tiny_work(ranker: Ranker, num_examples: int) -> bool:
    """Tell whether a step on ``num_examples`` is too short for more than one core."""
    return num_examples * ranker.num_dense_parameters < TINY_WORK


def choose_num_threads(ranker: Ranker, num_examples: int) -> int:
    """Choose how many Python threads share a batch of ``num_examples``: one, or one per core that PyTorch may use.

    Python threads contend for the GIL between operations. Where operations are short, one thread computes, and each
    operation divides its rows among the cores. Where they are long, threads with one core each never wait for another.
    """
    is_busy = num_examples * ranker.num_dense_parameters >= BUSY_WORK
    return torch.get_num_threads() if is_busy else 1


@contextmanager
def borrowed_cores(num_threads: int | None) -> Iterator[None]:
    """Let PyTorch use ``num_threads`` CPU threads within the context; None keeps the present number, up to a quota.

    PyTorch sees which cores a process may run on, but not the quota of a container, see ``usable_cores.py``.

    On leaving, also after an error, PyTorch's number of threads and its mode of flushing denormal numbers to zero are
    restored.

    Example:
        >>> before = torch.get_num_threads()
        >>> with borrowed_cores(1):
        ...     inside = torch.get_num_threads()
        >>> inside, torch.get_num_threads() == before
        (1, True)

    Raises:
        RankElastorError: this process was forked after its parent computed with several threads.
    """
    before, flushed = torch.get_num_threads(), _flushes_denormals()
    try:
        if num_threads is None and (cores := usable_cores()).is_unseen:
            num_threads = min(before, cores.number)
        if num_threads is not None:
            torch.set_num_threads(num_threads)
        require_working_threads()
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(flushed)


def threads_in_use(setting: int | None) -> UsableCores:
    """Tell how many CPU threads PyTorch uses now, and why.

    Args:
        setting: ``training.threads``.

    Example:
        >>> with borrowed_cores(1):
        ...     str(threads_in_use(1))
        '1 (training.threads)'
    """
    number, cores = torch.get_num_threads(), usable_cores()
    if setting is not None:
        return UsableCores(number, "training.threads")
    return cores if number == cores.number else UsableCores(number, "the number that PyTorch was given")


def compute_threads(num_threads: int) -> Executor:
    """Make an executor of ``num_threads`` threads with one core each; for 1, of the calling thread with all its cores.

    The threads, and the kernels on all cores, flush denormal numbers to zero: the moments of rarely used embedding rows
    decay into that range, where each operation takes a hundred times as long. Shut the executor down after use: this
    restores PyTorch's number of threads, since MKL's number is shared by all threads of the process.

    Example:
        >>> with compute_threads(1) as threads:
        ...     threads.submit(sum, [1, 2]).result()
        3
    """
    if num_threads == 1:
        return _CallingThread()
    return _SingleCoreThreads(num_threads)


def _on_one_core() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


class _SingleCoreThreads(ThreadPoolExecutor):
    """Threads with one core each."""

    def __init__(self, num_threads: int) -> None:
        self._num_cores = torch.get_num_threads()
        super().__init__(num_threads, "single-core", initializer=_on_one_core)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        super().shutdown(wait, cancel_futures=cancel_futures)
        torch.set_num_threads(self._num_cores)


class _CallingThread(Executor):
    """An executor that runs each task in the calling thread, which saves the 0.1 ms of a change of threads."""

    def submit(self, function: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        future: Future[Result] = Future()
        flushed = _flushes_denormals()
        torch.set_flush_denormal(True)
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as in any executor, result() raises it again
            future.set_exception(error)
        finally:
            torch.set_flush_denormal(flushed)
        return future


def _flushes_denormals() -> bool:
    return not _DENORMAL * _ONE  # in NumPy, which takes a fiftieth of the time that a tensor takes


@contextmanager
def one_core(*, with_helper: bool = False) -> Iterator[None]:
    """Run PyTorch's operations on one core within the context: for work too short to pay for starting threads.

    Args:
        with_helper: whether a helper thread may take parts of this thread's kernels, for which nobody waits if it
            has no core. The results are the same bit for bit.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with crew() if with_helper else nullcontext():
            yield
    finally:
        torch.set_num_threads(before)
