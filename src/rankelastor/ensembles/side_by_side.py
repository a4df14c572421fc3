"""Train members side by side, a process each, or one after the other in this process."""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import rankelastor
from rankelastor.ensembles.member_events import Event, MemberListener, hand_over
from rankelastor.ensembles.member_process import train_member
from rankelastor.errors import RunError
from rankelastor.recipes.recipe import Recipe

_logger = logging.getLogger(__name__)
_MODULE = "rankelastor.ensembles.member_process"
_SECONDS_TO_STOP = 60.0


def train_members(
    members: Mapping[Path, Recipe], *, num_processes: int, listeners: Sequence[MemberListener] = ()
) -> None:
    """Train the members, at most ``num_processes`` at a time; with one, in this process.

    If one fails, or this process is interrupted, the others are stopped.

    Args:
        members: the recipe of each member by its run folder.
        num_processes: how many are trained at a time.
        listeners: receive the progress.

    Raises:
        RunError: the training of a member failed; the message names it.
    """
    if num_processes == 1:
        for folder, recipe in members.items():
            train_member(recipe, folder, lambda event, name=folder.name: hand_over(event, name, tuple(listeners)))  # type: ignore[misc]
        return
    waiting = list(members.items())
    events: queue.Queue[tuple[_Process, Event | None]] = queue.Queue()
    running: list[_Process] = []
    try:
        while waiting or running:
            while waiting and len(running) < num_processes:
                folder, recipe = waiting.pop(0)
                running.append(_Process(folder, recipe, events))
            process, event = events.get()
            if event is None:
                running.remove(process)
                process.check()
            else:
                process.take(event, tuple(listeners))
    finally:
        for process in running:
            process.ask_to_stop()
        for process in running:
            process.stop()


class _Process:
    """The process of one member."""

    def __init__(self, folder: Path, recipe: Recipe, events: queue.Queue[tuple[_Process, Event | None]]) -> None:
        self._folder = folder
        self._error: str | None = None
        self._events = events
        # a session of its own: Ctrl-C reaches this process, which stops its members
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,
        )
        assert self._process.stdin is not None, "it is a pipe"
        order = {"recipe": recipe.model_dump(mode="json"), "folder": str(folder)}
        with suppress(BrokenPipeError):  # the exit code tells
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def take(self, event: Event, listeners: tuple[MemberListener, ...]) -> None:
        """Take an event of the process."""
        match event["event"]:
            case "error":
                self._error = event["message"]
            case "warning":
                _logger.warning("%s: %s", self._folder.name, event["message"])
            case _:
                hand_over(event, self._folder.name, listeners)

    def check(self) -> None:
        """Check how the process ended.

        Raises:
            RunError: its training failed.
        """
        code = self._process.wait()
        self._close()
        if code:
            what = self._error or f"its process ended with exit code {code}; see {self._folder / 'train.log'}"
            raise RunError(f"member {self._folder.name} of the ensemble was not trained: {what}")

    def ask_to_stop(self) -> None:
        """End the input of the process, which then saves its state and stops."""
        assert self._process.stdin is not None, "it is a pipe"
        with suppress(OSError):
            self._process.stdin.close()

    def stop(self) -> None:
        """Wait until the process has stopped; kill it if it does not."""
        try:
            self._process.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close()

    def _read(self) -> None:
        assert self._process.stdout is not None, "it is a pipe"
        for line in self._process.stdout:
            with suppress(ValueError):  # a line that a library printed
                self._events.put((self, json.loads(line)))
        self._events.put((self, None))

    def _close(self) -> None:
        self.ask_to_stop()
        self._reader.join()
        assert self._process.stdout is not None, "it is a pipe"
        self._process.stdout.close()


def _environment() -> dict[str, str]:
    """Copy the environment, with the place of this package, wherever it was imported from."""
    place = str(Path(rankelastor.__file__).resolve().parents[1])
    others = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{place}{os.pathsep}{others}" if others else place}
