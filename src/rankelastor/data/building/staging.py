"""The one pass over the raw files: each piece is parsed, checked and set aside on disk as numbers.

A staged part holds, for each row, provisional codes of texts (4 bytes a categorical feature, or an element of a
sequence), hashed ids, numbers (8 bytes), the label, the group and the time. Memory holds the dictionaries of distinct
texts and one piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.config.data import CsvSettings
from rankelastor.config.fields import CalendarField, HashedField, NumericField, QuantileField, SequenceField
from rankelastor.data.building.field_plan import FieldPlan, PlannedFeature
from rankelastor.data.building.sequences import stage_lists, view_lists
from rankelastor.data.cells.calendar_parts import calendar_part
from rankelastor.data.cells.hashes import hashed_ids
from rankelastor.data.cells.labels import parse_labels
from rankelastor.data.cells.lists import Offsets
from rankelastor.data.cells.numbers import parse_numbers, parse_numbers_or_blanks
from rankelastor.data.cells.texts import CellTexts, cell_texts
from rankelastor.data.cells.time_keys import TimeKeys
from rankelastor.data.interner import Interner
from rankelastor.data.raw.rows import RawRows
from rankelastor.schema import SplitName

LABEL, GROUP, TIME = "label", "group", "time"


@dataclass(frozen=True)
class StagedPart:
    """One staged piece: its file, the split of its source (None: still to be split), its number of rows."""

    file: Path
    split: SplitName | None
    num_rows: int

    def columns(self) -> StagedColumns:
        """Map the part into memory."""
        with pa.memory_map(str(self.file)) as mapped:
            return StagedColumns(pa.ipc.open_file(mapped).get_batch(0))


@dataclass(frozen=True)
class StagedColumns:
    """The columns of a staged part as NumPy views of the mapped file."""

    batch: pa.RecordBatch

    def codes(self, index: int) -> NDArray[np.uint32]:
        """Provisional codes of the categorical feature at ``index`` of the plan."""
        codes: NDArray[np.uint32] = self._view(f"feature_{index}")
        return codes

    def lists(self, index: int) -> tuple[NDArray[np.uint32], Offsets]:
        """Codes of the elements and offsets of the lists of the sequence feature at ``index`` of the plan."""
        return view_lists(self.batch.column(f"feature_{index}"))

    def ids(self, index: int) -> NDArray[np.int32]:
        """Final ids of the hashed feature at ``index`` of the plan."""
        ids: NDArray[np.int32] = self._view(f"feature_{index}")
        return ids

    def numbers(self, index: int) -> NDArray[np.float64]:
        """Numbers of the numeric or quantile feature at ``index`` of the plan; NaN is a blank of the latter."""
        numbers: NDArray[np.float64] = self._view(f"feature_{index}")
        return numbers

    def labels(self) -> NDArray[np.float32]:
        """The labels."""
        labels: NDArray[np.float32] = self._view(LABEL)
        return labels

    def groups(self) -> NDArray[np.uint32]:
        """Provisional codes of the groups."""
        groups: NDArray[np.uint32] = self._view(GROUP)
        return groups

    def times(self) -> NDArray[np.float64]:
        """Keys of the time to split by."""
        times: NDArray[np.float64] = self._view(TIME)
        return times

    def _view(self, name: str) -> Any:
        return self.batch.column(name).to_numpy(zero_copy_only=True)


class Stager:
    """Stages pieces of raw rows into a new folder.

    Attributes:
        parts: what was staged, in order.
        interners: the dictionary of each vocabulary, by the name of the feature that owns it.
        groups: the dictionary of the groups, if there is a group.
    """

    def __init__(self, plan: FieldPlan, csv: CsvSettings, folder: Path) -> None:
        folder.mkdir()
        self.plan = plan
        self.folder = folder
        self._blanks = csv.blanks
        self.parts: list[StagedPart] = []
        self.interners = {feature.name: Interner() for feature in plan.vocabularies}
        self.groups = Interner() if plan.group is not None else None
        self._times = TimeKeys(plan.time) if plan.time is not None else None

    def add(self, rows: RawRows, split: SplitName | None) -> None:
        """Parse, check and set aside some rows.

        Raises:
            DataError: a cell is wrong; the message names file, column, row and value.
        """
        columns = dict(self._columns(rows))
        file = self.folder / f"part-{len(self.parts):06d}.arrow"
        arrays = [column if isinstance(column, pa.Array) else pa.array(column) for column in columns.values()]
        batch = pa.RecordBatch.from_arrays(arrays, names=list(columns))
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)
        self.parts.append(StagedPart(file, split, rows.num_rows))

    @property
    def num_rows(self) -> int:
        """Rows staged so far."""
        return sum(part.num_rows for part in self.parts)

    def ordered_times(self) -> NDArray[np.float64] | None:
        """A number for each row whose order is that of time (8 bytes a row), where the split is by time."""
        if self._times is None or not self.parts:
            return None
        return self._times.ordered(np.concatenate([part.columns().times() for part in self.parts]))

    def _columns(self, rows: RawRows) -> Iterator[tuple[str, NDArray[np.generic] | pa.ListArray]]:
        yield LABEL, parse_labels(rows, self.plan.label)
        if self.groups is not None and self.plan.group is not None:
            groups = cell_texts(rows, self.plan.group, self._blanks)
            yield GROUP, self.groups.codes(groups.values)[groups.codes]
        if self._times is not None:
            yield TIME, self._times.keys(rows)
        for index, feature in enumerate(self.plan.features):
            yield f"feature_{index}", self._feature(rows, feature)

    def _feature(self, rows: RawRows, feature: PlannedFeature) -> NDArray[np.generic] | pa.ListArray:
        match feature.settings:
            case NumericField(blank=blank):
                return parse_numbers(rows, feature.column, blanks=self._blanks, blank=blank)
            case QuantileField():
                return parse_numbers_or_blanks(rows, feature.column, blanks=self._blanks)
            case HashedField(num_buckets=num_buckets, blank=blank_ids):
                hashed = cell_texts(rows, feature.column, self._blanks)
                return hashed_ids(hashed.values, num_buckets=num_buckets, blank=blank_ids)[hashed.codes]
        assert feature.vocabulary is not None
        interner = self.interners[feature.vocabulary]
        if isinstance(feature.settings, SequenceField):
            return stage_lists(rows, feature.column, feature.settings, interner, self._blanks)
        texts = self._texts(rows, feature)
        return interner.codes(texts.values)[texts.codes]

    def _texts(self, rows: RawRows, feature: PlannedFeature) -> CellTexts:
        texts = cell_texts(rows, feature.column, self._blanks)
        if not isinstance(feature.settings, CalendarField):
            return texts
        assert feature.part is not None
        return calendar_part(rows, feature.column, texts, part=feature.part, time_format=feature.settings.format)


def group_ranks(interner: Interner) -> NDArray[np.int64]:
    """The final number of each group by provisional code: its rank in byte order, so that arrival does not matter."""
    return interner.values().rank("ordinal").to_numpy().astype(np.int64) - 1
