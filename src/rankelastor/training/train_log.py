"""``train.log`` of a run folder: what happened when, in plain lines that can be read while training goes on."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rankelastor.models.ranker import Ranker
from rankelastor.training.evaluation_line import evaluation_line
from rankelastor.training.observers import Evaluation, SilentObserver, Step

EVERY_SECONDS = 60.0


class TrainLog(SilentObserver):
    """Log of one run: evaluations, a line a minute between them, and what the library logs meanwhile.

    A context manager around the run. Lines from before the file is opened are kept and written first. A disk that
    takes no more lines does not stop the run.
    """

    def __init__(self) -> None:
        self._file: TextIO | None = None
        self._early: list[str] = []
        self._handler = _Handler(self)
        self._num_epochs = self._num_examples = 0
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        logging.getLogger("rankelastor").addHandler(self._handler)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        logging.getLogger("rankelastor").removeHandler(self._handler)
        if kind is not None:
            self.say(f"stopped: {kind.__name__}{f': {error}' if str(error) else ''}")
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def open(self, path: Path) -> None:
        """Open the file, after what it holds already, and write the lines from before."""
        with suppress(OSError):
            self._file = path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
            self._file.writelines(self._early)
        self._early = []

    def say(self, line: str) -> None:
        """Write a line with the time of day."""
        written = f"{datetime.now().astimezone().isoformat(sep=' ', timespec='seconds')}  {line}\n"
        self._last = time.monotonic()
        if self._file is None:
            self._early.append(written)
            return
        with suppress(OSError):
            self._file.write(written)

    def on_start(self, ranker: Ranker, *, num_epochs: int, num_examples: int) -> None:
        """Note what is trained."""
        self._num_epochs, self._num_examples = num_epochs, num_examples
        self.say(
            f"training {ranker.num_dense_parameters:,} dense parameters for at most {num_epochs} epochs of "
            f"{num_examples:,} examples"
        )

    def on_step(self, step: Step) -> None:
        """Note the step if the last line was a minute ago."""
        if time.monotonic() - self._last >= EVERY_SECONDS:
            self.say(f"epoch {step.epoch}/{self._num_epochs}  step {step.index:,}  loss {step.loss.item():.6f}")

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Note the evaluation."""
        self.say(evaluation_line(evaluation, num_epochs=self._num_epochs, num_examples=self._num_examples))


class _Handler(logging.Handler):
    """Handler that hands the messages of the library to the log."""

    def __init__(self, log: TrainLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message with its level."""
        self._log.say(f"{record.levelname.lower()}: {record.getMessage()}")
