"""Write checkpoints beside a training: every few minutes or steps, in a thread of their own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import torch

from rankelastor.config.checkpoint import CheckpointSettings
from rankelastor.execution.free_memory import free_memory
from rankelastor.runs.checkpoints import list_checkpoints, remove_all_but, write_checkpoint
from rankelastor.training.snapshot import Snapshot

logger = logging.getLogger(__name__)

_SECONDS_PER_MINUTE = 60.0
_WORTH_SECONDS = 10.0
"""Training time that is worth a checkpoint at the end."""
_ROOM = 1.5
"""Free memory, as a multiple of the state, that allows a copy of it."""


class StateWriter(Protocol):
    """What a training calls to have its state written."""

    def after_step(self, step: int, num_bytes: int, take: Callable[[bool], Snapshot]) -> None:
        """Write the state if that is due after this many steps."""

    def at_end(self, num_bytes: int, take: Callable[[bool], Snapshot]) -> None:
        """Write the state of a finished training, if that is worth it."""

    def save(self, snapshot: Snapshot) -> None:
        """Write a state now."""


class Checkpointer:
    """Writer of the checkpoints of one run.

    A step waits for a copy of the state in memory, not for the disk, unless there is no room for a copy. A checkpoint
    that is due by time while the one before is still being written is taken when that is done; one that is due by its
    number of steps waits. What cannot be written, such as on a full disk, is logged, and training goes on with the
    checkpoints that are there.

    Args:
        folder: folder of the checkpoints.
        settings: when to write, and how many to keep.
        identity: settings and data that the state belongs to, as values for JSON.
        files: files that belong to a checkpoint if they exist, such as the best weights.
    """

    def __init__(
        self, folder: Path, settings: CheckpointSettings, *, identity: Mapping[str, Any], files: Sequence[Path] = ()
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._identity = identity
        self._files = files
        self._writer = ThreadPoolExecutor(1, "checkpoint")
        self._written: Future[None] | None = None
        self._last = time.monotonic()  # unlike the time of day, it never jumps

    def is_due(self, step: int) -> bool:
        """Tell whether a checkpoint is due after this many steps."""
        settings = self._settings
        if settings.every_steps is not None and step % settings.every_steps == 0:
            return True
        passed = time.monotonic() - self._last
        by_time = settings.every_minutes is not None and passed >= settings.every_minutes * _SECONDS_PER_MINUTE
        return by_time and (self._written is None or self._written.done())

    def after_step(self, step: int, num_bytes: int, take: Callable[[bool], Snapshot]) -> None:
        """Write the state if a checkpoint is due after this many steps.

        Args:
            step: number of steps that are done.
            num_bytes: size of the state.
            take: takes the state, copied or not.
        """
        if self.is_due(step):
            self._begin(num_bytes, take)

    def at_end(self, num_bytes: int, take: Callable[[bool], Snapshot]) -> None:
        """Write the state of a finished training beside its test, unless that took next to no time.

        The arguments are those of ``after_step``.
        """
        if self.is_worth_it:
            self._begin(num_bytes, take)

    @property
    def is_worth_it(self) -> bool:
        """Whether a finished training is worth a checkpoint."""
        return self._settings.keep_after_end or time.monotonic() - self._last >= _WORTH_SECONDS

    def note_time(self) -> None:
        """Take the time since which the next checkpoint is due by time."""
        self._last = time.monotonic()

    def _begin(self, num_bytes: int, take: Callable[[bool], Snapshot]) -> None:
        self.wait()
        free = free_memory(torch.device("cpu"))
        if free is None or free.num_bytes > _ROOM * num_bytes:
            self._written = self._writer.submit(self._write, take(True))  # noqa: FBT003 - copied
        else:
            self._write(take(False))  # noqa: FBT003 - not copied
        self.note_time()

    def save(self, snapshot: Snapshot) -> None:
        """Write a state and return when it is on the disk, or logged as impossible."""
        self.wait()
        self._write(snapshot)

    def wait(self) -> None:
        """Wait until the last checkpoint is written; required before one of ``files`` is replaced."""
        if self._written is not None:
            self._written.result()

    def close(self) -> None:
        """Wait for the last checkpoint and end the thread."""
        self._writer.shutdown()

    def remove(self) -> None:
        """Remove the checkpoints of a finished run, or all but the last, as the settings say."""
        self.wait()
        remove_all_but(self._folder, 1 if self._settings.keep_after_end else 0)

    _write_more: Callable[[Path], Mapping[str, str]] | None = None
    """Writes further files of a checkpoint, see ``write_checkpoint``."""

    def _write(self, snapshot: Snapshot) -> None:
        began = time.monotonic()
        try:
            path = write_checkpoint(
                self._folder,
                step=snapshot.step,
                values={**snapshot.values, "identity": self._identity},
                tensors=snapshot.tensors,
                is_evaluated=snapshot.is_evaluated,
                files=self._files,
                write_more=self._write_more,
            )
        except Exception as error:  # noqa: BLE001 - a training is worth more than one of its checkpoints
            kept = list_checkpoints(self._folder)
            kept_words = f"the checkpoint {kept[0].name} stays" if kept else "there is none yet"
            logger.warning("no checkpoint could be written after step %d: %s; %s", snapshot.step, error, kept_words)
            return
        remove_all_but(self._folder, self._settings.keep)
        num_bytes = sum(file.stat().st_size for file in path.iterdir())
        logger.info(
            "checkpoint after step %d: %.1f MB in %.2f s", snapshot.step, num_bytes / 1e6, time.monotonic() - began
        )
