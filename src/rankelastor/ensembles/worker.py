"""A process that carries out orders, as the process that started it sees it."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import rankelastor
from rankelastor.ensembles.member_events import Event
from rankelastor.errors import RunError
from rankelastor.recipes.recipe import Recipe
from rankelastor.usable_cores import share_of_cores

WorkerEvents = queue.Queue[tuple["Worker", Event | None]]
"""Events of all workers; None is the end of a process."""

MEMBERS = "rankelastor.ensembles.member_process"
"""The module of a process that trains members of an ensemble."""
_SECONDS_TO_STOP = 60.0


class Worker:
    """A process of a module that serves orders (``orders.py``), one after the other.

    It has a session of its own, so that Ctrl-C reaches the process that started it alone, and it stops when that
    process is gone.

    Args:
        events: receives the events of the process.
        module: the module that the process runs.
        num_beside: number of processes that share the machine, this one included; each gets its share of the cores.
    """

    def __init__(self, events: WorkerEvents, module: str = MEMBERS, *, num_beside: int = 1) -> None:
        self._folder = Path()
        self._events = events
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment() | share_of_cores(num_beside),
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def member(self) -> str:
        """Name of the member that it trains."""
        return self._folder.name

    def give(self, folder: Path, recipe: Recipe) -> None:
        """Give the order to train a member in a run folder."""
        self._folder = folder
        self.order({"recipe": recipe.model_dump(mode="json"), "folder": str(folder)})

    def order(self, order: Mapping[str, Any]) -> None:
        """Give an order, as values for JSON."""
        assert self._process.stdin is not None, "it is a pipe"
        with suppress(BrokenPipeError):  # the end of the process tells
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()

    def exit_code(self) -> int:
        """Wait for the end of the process, and return its exit code; a negative one is the signal that ended it."""
        return self._process.wait()

    def fail(self, message: str | None = None) -> NoReturn:
        """Say that the training of its member failed.

        Args:
            message: why; None if the process ended without a word.

        Raises:
            RunError: always.
        """
        what = message or f"its process ended with exit code {self.exit_code()}; see {self._folder / 'train.log'}"
        raise RunError(f"member {self.member} of the ensemble was not trained: {what}")

    def ask_to_stop(self) -> None:
        """End the input of the process, which then stops."""
        assert self._process.stdin is not None, "it is a pipe"
        with suppress(OSError):
            self._process.stdin.close()

    def stop(self) -> None:
        """Wait until the process has stopped; kill it if it does not."""
        self.ask_to_stop()
        try:
            self._process.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None, "it is a pipe"
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None, "it is a pipe"
        for line in self._process.stdout:
            with suppress(ValueError):  # a line that a library printed
                self._events.put((self, json.loads(line)))
        self._events.put((self, None))


def _environment() -> dict[str, str]:
    """Copy the environment, with the place of this package, wherever it was imported from."""
    place = str(Path(rankelastor.__file__).resolve().parents[1])
    others = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{place}{os.pathsep}{others}" if others else place}
