"""Checkpoints of a training whose embedding rows lie in several processes: all of them write at the same step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rankelastor.collectives.processes import LostProcessError
from rankelastor.config.checkpoint import CheckpointSettings
from rankelastor.errors import StorageError
from rankelastor.runs.checkpoints import digest_of
from rankelastor.sharding.table_parts import PATTERN
from rankelastor.sharding.tables import ShardedTables
from rankelastor.training.checkpointer import Checkpointer
from rankelastor.training.distributed.stopping_together import SharedInterruption
from rankelastor.training.interruption import Interruption
from rankelastor.training.snapshot import Snapshot

LOOK_EVERY = 16
"""After how many steps processes ask the first one whether a checkpoint is due by time."""


class SharedTables:
    """What each process does when a checkpoint is written: agree that it is, and write its part.

    Args:
        tables: the rows, whose processes are those that write.
        settings: when checkpoints are written.
        interruption: requests to stop, after which a checkpoint is written if all processes have heard of them.
    """

    def __init__(self, tables: ShardedTables, settings: CheckpointSettings, interruption: Interruption | None) -> None:
        self._tables = tables
        self._settings = settings
        self._interruption = interruption

    def is_due(self, step: int, ask: Callable[[], bool]) -> bool:
        """Tell whether a checkpoint is due after a step: by the number of steps, or as the first process answers."""
        settings = self._settings
        if settings.every_steps is not None and step % settings.every_steps == 0:
            return True
        return settings.every_minutes is not None and step % LOOK_EVERY == 0 and self.answer(ask)

    def answer(self, ask: Callable[[], bool]) -> bool:
        """Return the answer of the first process."""
        return self._tables.processes.from_first(ask)

    @property
    def stops_together(self) -> bool:
        """Whether all processes have stopped after the same step, so that they can write a checkpoint."""
        return isinstance(self._interruption, SharedInterruption) and self._interruption.is_agreed

    def write(self, folder: Path | None) -> Mapping[str, str]:
        """Write the parts of all processes into the folder of the first; None there: nothing is written.

        Returns:
            The SHA-256 of the files of all processes by name.

        Raises:
            StorageError: a process cannot write its part.
        """
        processes = self._tables.processes
        told = processes.from_first(lambda: None if folder is None else str(folder.resolve()))
        if told is None:
            return {}
        error = None
        try:
            self._tables.write(Path(told))
        except LostProcessError:
            raise
        except Exception as failed:  # noqa: BLE001 - PyTorch wraps what any process raises
            error = f"{type(failed).__name__}: {failed}"
        own: dict[str, Any] = {"error": error, "files": {} if error else self._own_files(Path(told))}
        found = processes.of_all(own)
        for rank, each in enumerate(found):
            if each["error"] is not None:
                raise StorageError(f"process {rank} must write its part of a checkpoint to {told}, but {each['error']}")
        return {name: digest for each in found for name, digest in each["files"].items()}

    def _own_files(self, folder: Path) -> dict[str, str]:
        rank = self._tables.processes.world.rank
        own = PATTERN.replace("*", f"{rank + 1:05d}-*")
        return {path.name: digest_of(path) for path in sorted(folder.glob(own))}


class ShardedCheckpointer(Checkpointer):
    """The first process's writer of checkpoints, in which the others take part; a step waits for the disk.

    Args:
        shared: what each process does.
        arguments: those of ``Checkpointer``.
    """

    def __init__(self, shared: SharedTables, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._shared = shared
        self._has_told = False

    def after_step(self, step: int, num_bytes: int, take: Callable[[bool], Snapshot]) -> None:
        """Write the state of all processes if a checkpoint is due after this many steps."""
        if self._shared.is_due(step, lambda: self.is_due(step)):
            self._begin(num_bytes, take)

    def at_end(self, num_bytes: int, take: Callable[[bool], Snapshot]) -> None:
        """Write the state of a finished training, unless it took next to no time."""
        if self._shared.answer(lambda: self.is_worth_it):
            self._begin(num_bytes, take)

    def save(self, snapshot: Snapshot) -> None:
        """Write the state of a training that all processes have stopped."""
        if self._shared.stops_together:
            self._write(snapshot)

    def _begin(self, num_bytes: int, take: Callable[[bool], Snapshot]) -> None:
        del num_bytes
        self._write(take(False))  # noqa: FBT003 - not copied
        self.note_time()

    def _write(self, snapshot: Snapshot) -> None:
        self._has_told = False
        super()._write(snapshot)
        if not self._has_told:  # it failed before the others could take part, who wait
            self._shared.write(None)

    def _write_more(self, folder: Path) -> Mapping[str, str]:
        self._has_told = True
        return self._shared.write(folder)


class PartWriter:
    """What all processes but the first do in place of a ``Checkpointer``: write their parts."""

    def __init__(self, shared: SharedTables) -> None:
        self._shared = shared

    def after_step(self, step: int, num_bytes: int, take: Callable[[bool], Snapshot]) -> None:
        """Write this process's part if a checkpoint is due."""
        del num_bytes, take
        if self._shared.is_due(step, _not_asked):
            self._write()

    def at_end(self, num_bytes: int, take: Callable[[bool], Snapshot]) -> None:
        """Write this process's part of the last state, if the first writes it."""
        del num_bytes, take
        if self._shared.answer(_not_asked):
            self._write()

    def save(self, snapshot: Snapshot) -> None:
        """Write this process's part of the state of a training that all processes have stopped."""
        del snapshot
        if self._shared.stops_together:
            self._write()

    def _write(self) -> None:
        try:
            self._shared.write(None)
        except StorageError:  # the first process says so, and the training goes on
            return


def _not_asked() -> bool:
    raise AssertionError("the first process answers")
