"""Notice a child process that was forked after its parent computed with several threads, and would wait for ever."""

from __future__ import annotations

import os
from functools import cache

import torch

from rankelastor.errors import RankElastorError

_forked = False


def require_working_threads() -> None:
    """Check that PyTorch's threads work in this process, and remember that it computes.

    OpenMP's threads do not survive a fork: a child of a process that has computed waits for them for ever.

    Raises:
        RankElastorError: this process was forked after its parent computed, and would use several threads.
    """
    if _forked and torch.get_num_threads() > 1:
        raise RankElastorError(
            "a process must not be forked after its parent has computed with several threads, since these do not exist "
            'in the child; start it with multiprocessing.get_context("spawn"), let a server load the model after it '
            "has forked, or call torch.set_num_threads(1) in the child first"
        )
    if torch.get_num_threads() > 1:
        _watch_forks()


@cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_note_fork)


def _note_fork() -> None:
    global _forked  # noqa: PLW0603 - it is about the process
    _forked = True
