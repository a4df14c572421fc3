"""Count values of raw rows that training has not seen, and remember one of each field as it is written."""

from __future__ import annotations

from collections.abc import Mapping

from rankelastor.data.manifest import Manifest
from rankelastor.data.raw.rows import RawRows
from rankelastor.evaluation.unseen import UnseenCounter, UnseenValues
from rankelastor.schema import Batch

_LONGEST_CELL = 60


class UnseenInRows:
    """A counter of values of raw rows that training has not seen, piece by piece.

    Args:
        manifest: manifest of the run.
        keep_rows: see ``UnseenCounter``.
    """

    def __init__(self, manifest: Manifest, *, keep_rows: bool) -> None:
        self._columns = {spec.name: spec.column for spec in manifest.features}
        self._counter = UnseenCounter(manifest, keep_rows=keep_rows)
        self._written: dict[str, str] = {}

    @property
    def written(self) -> Mapping[str, str]:
        """The first unseen value of each field that has one, as it is written, shortened if it is long."""
        return self._written

    def add(self, rows: RawRows, batch: Batch) -> None:
        """Count some rows: as they were read, and as they were encoded."""
        for name, row in self._counter.add(batch).items():
            if name not in self._written:
                cell = str(rows.column(self._columns[name])[row].as_py())
                self._written[name] = cell if len(cell) <= _LONGEST_CELL else f"{cell[: _LONGEST_CELL - 3]}..."

    def total(self) -> UnseenValues:
        """Compute the shares over all rows added."""
        return self._counter.total()
