"""A process that trains one member: ``python -m rankelastor.ensembles.member_process``.

The first line of its standard input is the order, as JSON: the recipe and the run folder. It writes its events to
standard output, a line of JSON each. When its standard input ends, so does the training: the process that gave the
order is gone, or wants it to stop.
"""

from __future__ import annotations

import _thread
import json
import logging
import os
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
from rankelastor.training.run import train

FAILED = 2
"""Exit code if the training failed; the last event says why."""
_INPUT = 0
_INTERRUPTED = 130


def train_member(recipe: Recipe, folder: Path, send: Callable[[Event], None]) -> None:
    """Train one member in its run folder, and send its events.

    Raises:
        RankElastorError: the training failed.
    """
    train(recipe, folder=folder, observers=[EventSender(send), SpectrumObserver(recipe.spectrum, folder)])
    send({"event": "end"})


def main() -> int:
    """Take the order from standard input, carry it out, and return the exit code."""
    order = json.loads(_first_line())
    sender = _LineSender(sys.stdout.buffer)
    logging.getLogger("rankelastor").addHandler(_WarningSender(sender))
    logging.getLogger("rankelastor").setLevel(logging.INFO)  # train.log keeps what the terminal need not show
    threading.Thread(target=_stop_with_input, daemon=True).start()
    keep_large_blocks()
    try:
        train_member(Recipe.model_validate(order["recipe"]), Path(order["folder"]), sender)
    except RankElastorError as error:
        sender({"event": "error", "message": str(error)})
        return FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


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
        self._send({"event": "warning", "message": record.getMessage()})


def _first_line() -> bytes:
    """Read up to the first end of a line, and nothing that follows it."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(_INPUT, 1)
        if not byte:
            break
        line += byte
    return line


def _stop_with_input() -> None:
    """Interrupt the training when standard input ends."""
    while os.read(_INPUT, 1):
        pass
    _thread.interrupt_main()


if __name__ == "__main__":
    sys.exit(main())
