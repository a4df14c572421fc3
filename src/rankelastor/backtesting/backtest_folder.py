"""The folder of a backtest.

.. code-block:: text

    identity.json       recipe, column of days and raw files, by which a backtest is known again
    days/DAY/           the rows of each day as Parquet: train/ and valid/
    prepared/ARM-DAY/   the prepared folder of each day, from scratch (cold) or taken in after the day before (warm)
    runs/ARM-DAY/       the run folder of each training
    backtest.json, backtest.csv, report.html    the table, when all days are done
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rankelastor.backtesting.record import Arm
from rankelastor.errors import RUN_FOLDER, RunError
from rankelastor.folder_lock import try_to_hold
from rankelastor.storage import explain_storage_errors, whole_file

FORMAT_VERSION = 1


class BacktestFolder:
    """A folder of a backtest: its paths, and the lock of who writes it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def days(self) -> Path:
        """The rows by day."""
        return self.path / "days"

    def prepared(self, arm: Arm, day: str) -> Path:
        """The prepared folder of a day."""
        return self.path / "prepared" / f"{arm}-{day}"

    def run(self, arm: Arm, day: str) -> Path:
        """The run folder of the training on a day."""
        return self.path / "runs" / f"{arm}-{day}"

    @contextmanager
    def opened(self, identity: Mapping[str, Any]) -> Iterator[None]:
        """Make the folder, or check that it holds the same backtest, and hold it so that no other process writes it.

        Raises:
            RunError: the folder holds something else, or another process works in it.
        """
        with explain_storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        holder = try_to_hold(self.path)
        if holder is None:
            raise RunError(f"{self.path} must be written by one process at a time, but another one works in it now")
        try:
            self._check(json.loads(json.dumps({"format_version": FORMAT_VERSION, **identity})))
            yield
        finally:
            os.close(holder)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the folder, whole or not at all."""
        with whole_file(self.path / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
        return self.path / name

    def _check(self, identity: Mapping[str, Any]) -> None:
        file = self.path / "identity.json"
        if not file.exists():
            if any(self.path.iterdir()):
                self._refuse("holds something else")
            self.write(file.name, json.dumps(identity, indent=2) + "\n")
            return
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict):
            self._refuse("has a damaged identity.json")
        if differ := [name for name in identity if found.get(name) != identity[name]]:
            self._refuse(f"holds a backtest with another {' and '.join(differ)}")

    def _refuse(self, what: str) -> None:
        raise RunError(
            f"a backtest must go on in its own folder or begin in a new one, but {self.path} {what}; remove it, or "
            f"name another with {RUN_FOLDER}",
            python=RUN_FOLDER,
        )
