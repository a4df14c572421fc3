"""How the cores of the CPU are shared out: threads of Python with a core each, or one thread whose kernels take all."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from rankelastor.models.ranker import Ranker
from rankelastor.native.library import kernels_divide_rows

_LITTLE_WORK = 2**30  # products of numbers; measured: at four times as much both ways are equally fast


def threads_at_once(ranker: Ranker, num_examples: int) -> int:
    """Threads of Python that should work on so many examples, out of as many cores as PyTorch may use here.

    Threads of Python wait for each other between operations: where these are short, kernels divide their rows among
    the cores instead. Where they are long, a core that works for itself never waits for another.
    """
    num_weights = sum(parameter.numel() for parameter in ranker.backbone.parameters())
    alone = kernels_divide_rows() and num_examples * num_weights < _LITTLE_WORK
    return 1 if alone else torch.get_num_threads()


def compute_threads(num_threads: int, *, cores: int = 1) -> ThreadPoolExecutor:
    """Threads in which an operation of PyTorch or a kernel takes so many cores.

    They take numbers too small for fp32's normal range as zero: the moments of rows that are seldom touched fade into
    that range, where each operation takes a hundred times as long.
    """
    return ThreadPoolExecutor(num_threads, "compute", initializer=_on_cores, initargs=(cores,))


def _on_cores(cores: int) -> None:
    torch.set_num_threads(cores)
    torch.set_flush_denormal(True)


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
