"""Carry out orders in a process of their own: lines of JSON come in, events go out as lines of JSON.

When standard input ends, what goes on is interrupted between two steps, so that a training saves its state: the process
that gave the orders is gone, or wants this one to stop.
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
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Protocol

from rankelastor.ensembles.member_events import Event
from rankelastor.errors import RankElastorError
from rankelastor.execution.allocator import keep_large_blocks
from rankelastor.training.interruption import Interruption

FAILED = 2
"""Exit code if an order failed; the last event says why."""
_INPUT = 0
_BYTES_AT_A_TIME = 65536
_INTERRUPTED = 130
_ALARMS = "rankelastor.alarms"
"""Logger of what is likely wrong with one run, which whoever gave the orders judges as a whole."""


class CarryOut(Protocol):
    """Does what an order says."""

    def __call__(self, order: Mapping[str, Any], send: Callable[[Event], None], interruption: Interruption) -> None:
        """Carry out an order, and send events."""


def serve(carry_out: CarryOut) -> int:
    """Carry out the orders from standard input, one after the other, and return the exit code."""
    sender = _LineSender(sys.stdout.buffer)
    logging.getLogger("rankelastor").addHandler(_WarningSender(sender))
    logging.getLogger("rankelastor").setLevel(logging.INFO)  # train.log keeps what the terminal need not show
    keep_large_blocks()
    orders, interruption = _Orders(), Interruption()
    signal.signal(signal.SIGINT, lambda *_: interruption.request(KeyboardInterrupt()))
    try:
        while (order := orders.next()) is not None:
            carry_out(json.loads(order), sender, interruption)
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
