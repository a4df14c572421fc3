"""A process that trains members: ``python -m rankelastor.ensembles.member_process``.

Each line of its standard input is an order, as JSON: the recipe of a member and its run folder. It carries them out one
after the other, so that what it imported is used again, and writes events to standard output, a line of JSON each. When
its standard input ends, a training that goes on saves its state and stops: the process that gave the order is gone, or
wants it to stop.
"""

from __future__ import annotations

import _thread
import json
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from rankelastor.ensembles.member_events import Event, EventSender
from rankelastor.errors import RankElastorError
from rankelastor.execution.allocator import keep_large_blocks
from rankelastor.recipes.recipe import Recipe
from rankelastor.spectrum.runs.observer import SpectrumObserver
from rankelastor.training.interruption import Interruption
from rankelastor.training.run import train

FAILED = 2
"""Exit code if a training failed; the last event says why."""
_INPUT = 0
_BYTES_AT_A_TIME = 65536
_INTERRUPTED = 130
_ALARMS = "rankelastor.alarms"
"""Logger of what is likely wrong, which the ensemble judges as a whole."""


def train_member(
    recipe: Recipe, folder: Path, send: Callable[[Event], None], *, interruption: Interruption | None = None
) -> None:
    """Train one member in its run folder, or go on with it, and send its events.

    Raises:
        RankElastorError: the training failed.
    """
    observers = [EventSender(send), SpectrumObserver(recipe.spectrum, folder)]
    train(recipe, folder=folder, observers=observers, interruption=interruption)
    send({"event": "end"})


def main() -> int:
    """Carry out the orders from standard input, and return the exit code."""
    sender = _LineSender(sys.stdout.buffer)
    logging.getLogger("rankelastor").addHandler(_WarningSender(sender))
    logging.getLogger("rankelastor").setLevel(logging.INFO)  # train.log keeps what the terminal need not show
    keep_large_blocks()
    orders, interruption = _Orders(), Interruption()
    signal.signal(signal.SIGINT, lambda *_: interruption.request(KeyboardInterrupt()))
    try:
        while (order := orders.next()) is not None:
            values = json.loads(order)
            recipe = Recipe.model_validate(values["recipe"])
            train_member(recipe, Path(values["folder"]), sender, interruption=interruption)
    except RankElastorError as error:
        sender({"event": "error", "message": str(error)})
        return FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


class _Orders:
    """The lines of standard input. Its end interrupts the main thread while that carries out an order."""

    def __init__(self) -> None:
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._is_busy = False
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> bytes | None:
        """Wait for the next order; None if there are no more."""
        self._is_busy = False
        line = self._lines.get()
        self._is_busy = line is not None
        return line

    def _read(self) -> None:
        rest = b""
        while found := os.read(_INPUT, _BYTES_AT_A_TIME):
            *lines, rest = (rest + found).split(b"\n")
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)
        if self._is_busy:
            _thread.interrupt_main()


class _LineSender:
    """Writes events to a stream, a line of JSON each."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._stream.write(json.dumps(event).encode() + b"\n")
            self._stream.flush()


class _WarningSender(logging.Handler):
    """Handler that sends warnings as events."""

    def __init__(self, send: Callable[[Event], None]) -> None:
        super().__init__(logging.WARNING)
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != _ALARMS:
            self._send({"event": "warning", "message": record.getMessage()})


if __name__ == "__main__":
    sys.exit(main())
