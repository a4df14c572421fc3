"""Stage raw rows: in one pass over the raw files, parse and check each piece and store it on disk as numbers.

A staged part holds per row the provisional codes of texts (4 bytes per categorical feature and per element of a
sequence), hashed ids, numbers (8 bytes), the labels, the weight, the group and the time. Memory holds the
dictionaries of distinct texts and one piece.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.data.building.field_plan import FieldPlan, vocabulary_owner
from rankelastor.data.building.workers import Workers
from rankelastor.data.cells.labels import parse_labels
from rankelastor.data.cells.text_notes import TextNotes
from rankelastor.data.cells.time_keys import TimeKey, TimeKeys, TimeState
from rankelastor.data.cells.weights import parse_weights
from rankelastor.data.interner import Interner
from rankelastor.data.kinds.cells import Cells, CellSource, Numbering, marks_of_csv
from rankelastor.data.kinds.field import PlannedFeature
from rankelastor.data.kinds.vocabulary_fit import number_texts
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.rows import RawRows
from rankelastor.data.settings import Target
from rankelastor.data.split_settings import TimeSplit
from rankelastor.errors import SettingsError
from rankelastor.remote.remote_path import AnyPath
from rankelastor.schema import SplitName

CELLS_PER_PART = 16_000_000
"""Largest number of cells of an encoded part: padding may make it much larger than the raw text."""

LABEL, GROUP, TIME, WEIGHT = "label", "group", "time", "weight"


@dataclass(frozen=True)
class FileCodes:
    """The code in the dictionaries of all files of each code of one file: by index of a feature, and of the groups."""

    by_feature: dict[int, NDArray[np.uint32]]
    groups: NDArray[np.uint32] | None


@dataclass(frozen=True)
class StagedPart:
    """One staged piece: its file, the split of its source (None: not yet split), and its number of rows.

    ``codes`` translates its provisional codes, if its raw file was numbered by itself.
    """

    file: Path
    split: SplitName | None
    num_rows: int
    codes: FileCodes | None = None

    def columns(self) -> StagedColumns:
        """Map the part into memory."""
        with pa.memory_map(str(self.file)) as mapped:
            return StagedColumns(pa.ipc.open_file(mapped).get_batch(0), self.codes)


@dataclass(frozen=True)
class StagedColumns:
    """The columns of a staged part as NumPy views of the mapped file."""

    batch: pa.RecordBatch
    codes: FileCodes | None = None

    def cells(self, index: int) -> Cells:
        """Read the parsed cells of the feature at ``index`` of the plan; texts are provisional codes."""
        cells = Cells.from_arrow(self.batch.column(f"feature_{index}"))
        if self.codes is None or index not in self.codes.by_feature:
            return cells
        return Cells(self.codes.by_feature[index][cells.values], cells.offsets)

    def labels(self) -> NDArray[np.float32]:
        """Read the labels, float32 (row, task)."""
        num_tasks = sum(name.startswith(f"{LABEL}_") for name in self.batch.schema.names)
        return np.stack([self._view(f"{LABEL}_{index}") for index in range(num_tasks)], axis=1)

    def weights(self) -> NDArray[np.float32] | None:
        """Read the weights, float32 (row,); None if rows are not weighted."""
        return self._view(WEIGHT) if WEIGHT in self.batch.schema.names else None

    def groups(self) -> NDArray[np.uint32]:
        """Read the provisional codes of the groups, uint32 (row,)."""
        groups: NDArray[np.uint32] = self._view(GROUP)
        return groups if self.codes is None or self.codes.groups is None else self.codes.groups[groups]

    def times(self) -> TimeKey:
        """Read the time keys, float64 or int64 (row,)."""
        times: TimeKey = self._view(TIME)
        return times

    def _view(self, name: str) -> Any:
        return self.batch.column(name).to_numpy(zero_copy_only=True)


class Stager:
    """Writer of staged parts, from pieces of raw rows, into a new folder.

    Attributes:
        parts: the staged parts, in order.
        interners: the dictionary of each vocabulary, by the name of the feature that owns it.
        groups: the dictionary of the groups; None without a group.
    """

    def __init__(
        self,
        plan: FieldPlan,
        csv: CsvSettings,
        folder: Path,
        workers: Workers,
        split: TimeSplit | None = None,
        *,
        prefix: str = "",
    ) -> None:
        folder.mkdir(exist_ok=True)
        self._prefix = prefix
        self._workers = workers
        self.plan = plan
        self.folder = folder
        self._csv, self._marks, self._split = csv, marks_of_csv(csv), split
        self._notes = TextNotes()
        self.parts: list[StagedPart] = []
        self.interners = {feature.name: Interner() for feature in plan.vocabularies}
        self.groups = Interner() if plan.group is not None else None
        self._times = None
        if split is not None:
            self._times = TimeKeys(split.column, split.format, self._marks)
        self._cells_per_row = sum(feature.width for feature in plan.features)

    def add(self, rows: RawRows, split: SplitName | None) -> None:
        """Parse, check and stage some rows, in parts whose encoded size is bounded.

        Raises:
            DataError: a cell is wrong; the message names file, column, row and value.
        """
        part_rows = max(1, CELLS_PER_PART // self._cells_per_row)
        if rows.num_rows <= part_rows:
            self._add_part(rows, split)
            return
        for start in range(0, rows.num_rows, part_rows):
            self._add_part(_slice(rows, start, part_rows), split)

    def _add_part(self, rows: RawRows, split: SplitName | None) -> None:
        columns = dict(self._columns())
        staged = self._workers.map(lambda stage: stage(rows), columns.values())
        batch = pa.RecordBatch.from_arrays(list(staged), names=list(columns))
        file = self.folder / f"{self._prefix}part-{len(self.parts):06d}.arrow"
        unfinished = file.with_suffix(f".{os.getpid()}")
        with pa.OSFile(str(unfinished), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)
        unfinished.replace(file)  # as a whole, since a process that is thought dead may write it, too
        self.parts.append(StagedPart(file, split, rows.num_rows))

    @property
    def num_rows(self) -> int:
        """Number of rows staged so far."""
        return sum(part.num_rows for part in self.parts)

    @property
    def time_state(self) -> TimeState | None:
        """What the times read so far are; None unless the split is by time."""
        return None if self._times is None else self._times.state

    def agree_on_times(self, state: TimeState, file: AnyPath) -> None:
        """Take over what the times of a file are that was staged by itself.

        Raises:
            DataError: the times of the files before are written otherwise.
        """
        assert self._times is not None, "the split is by time"
        self._times.agree(state, file)

    def take_over(
        self,
        parts: Sequence[StagedPart],
        codes: dict[str, NDArray[np.uint32]],
        groups: NDArray[np.uint32] | None,
    ) -> None:
        """Add the parts of a file that was staged by itself.

        Args:
            parts: the parts, in order.
            codes: the code here of each code there, by the feature that owns the vocabulary.
            groups: the same for groups.
        """
        owners = {index: vocabulary_owner(feature) for index, feature in enumerate(self.plan.features)}
        by_feature = {index: codes[owner] for index, owner in owners.items() if owner is not None}
        self.parts += [replace(part, codes=FileCodes(by_feature, groups)) for part in parts]

    def time_keys(self) -> TimeKey | None:
        """Return a sortable time key per row; None unless the split is by time."""
        if self._times is None or not self.parts:
            return None
        return np.concatenate([part.columns().times() for part in self.parts])

    def split_starts(self) -> tuple[float, ...]:
        """Return the time keys at which valid and test begin; empty unless the settings name these times.

        Raises:
            SettingsError: they do not go with the times of the column, or test begins before valid.
        """
        if self._times is None or self._split is None or self._split.valid_from is None:
            return ()
        named = {"valid_from": self._split.valid_from, "test_from": self._split.test_from}
        starts = tuple(
            self._times.start_of(moment, f"data.split.{name}") for name, moment in named.items() if moment is not None
        )
        if list(starts) != sorted(set(starts)):
            raise SettingsError(
                f"data.split.test_from must lie behind data.split.valid_from, {self._split.valid_from}, but "
                f"{self._split.test_from} was given"
            )
        return starts

    def _columns(self) -> Iterator[tuple[str, Callable[[RawRows], pa.Array]]]:
        """Yield the name of each column of a part and the function that makes it; the functions run in parallel."""
        for index, target in enumerate(self.plan.targets):
            yield f"{LABEL}_{index}", partial(self._label, target)
        if self.plan.weight is not None:
            yield WEIGHT, partial(self._weight, self.plan.weight)
        if self.groups is not None:
            yield GROUP, partial(self._group, Numbering.provisional(self.groups))
        if (times := self._times) is not None:
            yield TIME, lambda rows: pa.array(times.keys(rows))
        for index, feature in enumerate(self.plan.features):
            owner = vocabulary_owner(feature)
            numbering = Numbering.none() if owner is None else Numbering.provisional(self.interners[owner])
            yield f"feature_{index}", partial(self._feature, feature, numbering)

    def _group(self, numbering: Numbering, rows: RawRows) -> pa.Array:
        assert self.plan.group is not None
        source = CellSource(rows, self._csv.blanks, numbering, self._marks, self._notes)
        return number_texts(source, self.plan.group, self.plan.group_text).to_arrow()

    def _feature(self, feature: PlannedFeature, numbering: Numbering, rows: RawRows) -> pa.Array:
        return feature.parse(CellSource(rows, self._csv.blanks, numbering, self._marks, self._notes)).to_arrow()

    def _label(self, target: Target, rows: RawRows) -> pa.Array:
        labels = parse_labels(rows, target.label, target.place, blanks=self._csv.blanks, marks=self._marks)
        return pa.array(labels)

    def _weight(self, column: str, rows: RawRows) -> pa.Array:
        return pa.array(parse_weights(rows, column, self._csv.blanks, self._marks))


def _slice(rows: RawRows, start: int, num_rows: int) -> RawRows:
    """Slice rows and their dictionaries, so that a text is parsed only in the slices that use it."""
    table = rows.table.slice(start, num_rows)
    columns = [
        cells.dictionary_decode().dictionary_encode() if pa.types.is_dictionary(cells.type) else cells
        for cells in table.columns
    ]
    table = pa.RecordBatch.from_arrays(columns, names=table.schema.names)
    return RawRows(table, rows.file, rows.row_number(start), rows.bytes_read)


def group_ranks(interner: Interner) -> NDArray[np.int64]:
    """Map provisional codes to final group numbers: ranks in byte order, independent of the order of the rows."""
    return interner.values().rank("ordinal").to_numpy().astype(np.int64) - 1
