"""Signals that stop a training between two steps, after its state has been saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rankelastor.cli.verb_group import TerminatedError
from rankelastor.training.interruption import Interruption

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def stopping_between_steps(interruption: Interruption | None = None) -> Iterator[Interruption]:
    """Hand Ctrl-C, SIGTERM and SIGHUP to an interruption within the context.

    A second Ctrl-C stops at once; a second SIGTERM or SIGHUP is ignored, since the state is being saved. Signals that
    the process ignores, as under ``nohup``, stay ignored.

    Args:
        interruption: what hears of them; None makes one of a training by one process.
    """
    interruption = interruption or Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        for other in handled:
            signal.signal(other, signal.default_int_handler if other == signal.SIGINT else signal.SIG_IGN)
        interruption.request(KeyboardInterrupt() if number == signal.SIGINT else TerminatedError(number))

    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    handled = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    for number in handled:
        signal.signal(number, stop)
    try:
        yield interruption
    finally:
        for number, before in handled.items():
            if signal.getsignal(number) == stop:
                signal.signal(number, before)
