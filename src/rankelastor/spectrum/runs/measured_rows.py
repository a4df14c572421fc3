"""The rows over which a spectrum is measured: those of a prepared split, or raw rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepared import PreparedSplit
from rankelastor.data.raw.inputs import Table, open_inputs
from rankelastor.errors import DataError
from rankelastor.progress import SilentProgress
from rankelastor.runs.load import LoadedRun
from rankelastor.schema import Batch


@dataclass(frozen=True)
class MeasuredRows:
    """Some rows in batches.

    Attributes:
        name: name of the split, or of the table.
        num_rows: their number.
        source: a prepared split, or raw rows that are encoded.
    """

    name: str
    num_rows: int
    source: PreparedSplit | tuple[Batch, ...]

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Iterate over the rows in batches of at most ``batch_size``."""
        if isinstance(self.source, PreparedSplit):
            yield from BatchLoader(self.source, batch_size=batch_size).epoch()
        else:
            for batch in self.source:
                yield from batch.split(batch_size)


def prepared_rows(split: PreparedSplit, *, most: int) -> MeasuredRows:
    """Take the first rows of a prepared split.

    Raises:
        DataError: it has no rows.
    """
    if split.num_rows == 0:
        raise DataError(f"a split must hold rows to be measured, but {split.name} has none; try another")
    return MeasuredRows(split.name, min(most, split.num_rows), split)


def raw_rows(run: LoadedRun, table: Table, *, most: int) -> MeasuredRows:
    """Encode the first rows of a table.

    Raises:
        DataError: the table cannot be read, lacks a column, or holds no rows.
    """
    batches: list[Batch] = []
    may_lack = run.recipe.data.columns_beside_features
    with open_inputs(table, run.encoder.csv, needed=run.encoder.columns, may_lack=may_lack) as inputs:
        for each in inputs.tables:
            for rows in each.read(SilentProgress()):
                batches.append(run.encoder.encode(rows))
                if sum(batch.num_examples for batch in batches) >= most:
                    return MeasuredRows(inputs.name, most, tuple(batches))
    num_rows = sum(batch.num_examples for batch in batches)
    if num_rows == 0:
        raise DataError(f"{inputs.name} must hold rows to be measured, but holds none; name another table")
    return MeasuredRows(inputs.name, num_rows, tuple(batches))
