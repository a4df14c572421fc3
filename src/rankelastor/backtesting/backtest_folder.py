"""The folder of a backtest.

.. code-block:: text

    identity.json       recipe, column of days and raw files, by which a backtest is known again
    days/DAY/           the rows of each day as Parquet: train/ and valid/
    prepared/ARM-DAY/   the prepared folder of each day, from scratch (cold) or taken in after the day before (warm)
    runs/ARM-DAY/       the run folder of each training
    backtest.json, backtest.csv, report.html    the table, when all days are done
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rankelastor.backtesting.record import Arm
from rankelastor.identified_folder import IdentifiedFolder
from rankelastor.storage import whole_file

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

    def opened(self, identity: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Make the folder, or check that it holds the same backtest, and hold it, see ``IdentifiedFolder``."""
        folder = IdentifiedFolder(self.path, "identity.json", FORMAT_VERSION, what="backtest", doing="works")
        return folder.opened(identity)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the folder, whole or not at all."""
        with whole_file(self.path / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
        return self.path / name
