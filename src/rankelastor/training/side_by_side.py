"""Warn of trainings side by side in the threads of one process that draw from PyTorch's global generators."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rankelastor.execution.random_state import Generators

_logger = logging.getLogger(__name__)
_lock = threading.Lock()
_running = 0


@contextmanager
def lend_generators(generators: Generators) -> Iterator[None]:
    """Lend PyTorch's global generators to a training that draws from them."""
    if not generators.uses_global:
        yield
        return
    with counted_training(), generators.borrowed():
        yield


@contextmanager
def counted_training() -> Iterator[None]:
    """Count a training on CUDA or with compiled steps, and warn if another one runs in this process at the same time.

    Their dropout comes from PyTorch's generators, which all threads share: trainings side by side take numbers from
    each other. Processes do not, nor do other trainings.
    """
    global _running  # noqa: PLW0603 - it is about the process
    with _lock:
        _running += 1
        others = _running - 1
    try:
        if others:
            _logger.warning(
                "another training on CUDA or with compiled steps runs in this process, so that neither can be repeated "
                "number by number: both draw from PyTorch's one generator; use a process for each"
            )
        yield
    finally:
        with _lock:
            _running -= 1
