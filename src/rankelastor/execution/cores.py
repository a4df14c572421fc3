"""How the cores of the CPU are shared out: threads of Python with a core each, or one whose kernels take all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from rankelastor.models.ranker import Ranker

Result = TypeVar("Result")
_TINY = 1e-40  # below fp32's normal range
BUSY_WORK = 2**30
"""Multiply-adds per batch from which on Python threads share it. Measured: at four times as many both are level."""


def threads_at_once(ranker: Ranker, num_examples: int) -> int:
    """Choose how many Python threads share a batch of ``num_examples``, out of the cores that PyTorch may use here.

    Threads of Python wait for the GIL between operations: where these are short, one thread computes, and operations
    divide their rows among the cores instead. Where they are long, a core that works alone never waits for another.
    """
    is_busy = num_examples * ranker.num_dense_parameters >= BUSY_WORK
    return torch.get_num_threads() if is_busy else 1


def compute_threads(num_threads: int) -> Executor:
    """Where to compute: in so many threads with a core each, or in the calling thread with all its cores if it is one.

    They take numbers too small for fp32's normal range as zero, and kernels do on all cores: the moments of rows that
    are seldom touched fade into that range, where each operation takes a hundred times as long.

    Example:
        >>> with compute_threads(1) as threads:
        ...     threads.submit(sum, [1, 2]).result()
        3
    """
    if num_threads == 1:
        return _CallingThread()
    return ThreadPoolExecutor(num_threads, "single-core", initializer=_on_one_core)


def _on_one_core() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


class _CallingThread(Executor):
    """Does at once what is submitted: no hand-over to another thread, which takes a tenth of a millisecond."""

    def submit(self, function: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        future: Future[Result] = Future()
        flushed = _takes_tiny_as_zero()
        torch.set_flush_denormal(True)
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as executors do: it comes out where the result is asked for
            future.set_exception(error)
        finally:
            torch.set_flush_denormal(flushed)
        return future


def _takes_tiny_as_zero() -> bool:
    return not bool(torch.full((), _TINY, dtype=torch.float32, device="cpu") * 1.0)


@contextmanager
def one_core(*, afterwards: int) -> Iterator[None]:
    """Operations of PyTorch run on one core inside, and on so many afterwards.

    For work that is over before many threads have met.
    """
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(afterwards)
