"""Divide the raw rows of a recipe by day into files, and each day into what is trained on and what is held out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rankelastor.backtesting.days import DayColumn
from rankelastor.data.cells.labels import parse_labels
from rankelastor.data.cells.time_formats import TimeFormat
from rankelastor.data.kinds.cells import marks_of_csv
from rankelastor.data.raw.column_names import require_columns
from rankelastor.data.raw.rows import RawRows, column_names, read_rows
from rankelastor.data.raw.source_files import SourceFile, find_source_files, without_empty
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError
from rankelastor.progress import ProgressListener
from rankelastor.storage import whole_folder

Part = Literal["train", "valid"]
PARTS: tuple[Part, ...] = ("train", "valid")
_LIST_FILE = "days.json"
_LEAST_DAYS = 2
_SEED = 20_240


@dataclass(frozen=True)
class DayFiles:
    """One day: its name, its rows by part, and its folder, which holds a folder of Parquet files for each part."""

    name: str
    num_rows: dict[Part, int]
    folder: Path

    def part(self, part: Part) -> str:
        """Path of the folder of a part, as the settings of files name it."""
        return str((self.folder / part).resolve())


def write_days(
    data: DataSettings,
    folder: Path,
    *,
    by: str,
    day_format: TimeFormat | None,
    valid_share: float,
    progress: ProgressListener,
) -> tuple[DayFiles, ...]:
    """Read all raw files of the settings once, and write the rows of each day to a folder of its own, in order of days.

    A folder that is there already is read instead. Rows are held out for valid at random, the same ones at every call.

    Args:
        data: the settings of the data; how they divide rows into splits is not used.
        folder: the folder to write, whole or not at all.
        by: the column of the days.
        day_format: how times are written in it, see ``DayColumn``.
        valid_share: share of the rows of each day that are held out.
        progress: receives the bytes read.

    Raises:
        DataError: a raw file is wrong, the column is missing or holds no days, there is one day only, or a day has one
            label only.
    """
    if (folder / _LIST_FILE).is_file():
        return _read_list(folder)
    with whole_folder(folder) as building:
        division = _Division(data, building, by=by, day_format=day_format, valid_share=valid_share)
        days = division.run(progress)
        listed = [{**asdict(day), "folder": day.folder.name} for day in days]
        (building / _LIST_FILE).write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    return _read_list(folder)


def _read_list(folder: Path) -> tuple[DayFiles, ...]:
    values = json.loads((folder / _LIST_FILE).read_text(encoding="utf-8"))
    return tuple(DayFiles(each["name"], each["num_rows"], folder / each["folder"]) for each in values)


class _Division:
    """The division of the rows of some files by day."""

    def __init__(
        self, data: DataSettings, folder: Path, *, by: str, day_format: TimeFormat | None, valid_share: float
    ) -> None:
        self._data, self._folder, self._by, self._valid_share = data, folder, by, valid_share
        self._days = DayColumn(by, day_format, marks_of_csv(data.csv))
        self._rows: Counter[tuple[int, Part]] = Counter()
        self._positive: Counter[tuple[int, Part, str]] = Counter()

    def run(self, progress: ProgressListener) -> tuple[DayFiles, ...]:
        """Divide all files, and check the days."""
        sources = without_empty(find_source_files(self._data.files), self._data.csv)
        progress.begin("dividing by day", total=sum(each.path.stat().st_size for each in sources), unit="bytes")
        for index, source in enumerate(sources):
            self._divide(source, index, progress)
        progress.end()
        return self._checked()

    def _divide(self, source: SourceFile, index: int, progress: ProgressListener) -> None:
        names = column_names(source.path, self._data.csv, partitions=source.partitions)
        require_columns(names, [self._by], source.path, advice="name the column of the days")
        draws, position = np.random.Generator(np.random.PCG64([_SEED, index])), 0
        with ExitStack() as stack:
            writers: dict[tuple[int, Part], pq.ParquetWriter] = {}
            for rows in read_rows(source.path, self._data.csv, partitions=source.partitions):
                for key, part in self._parts(rows, draws):
                    if key not in writers:
                        path = self._path(key) / f"{index:05}.parquet"
                        path.parent.mkdir(parents=True, exist_ok=True)
                        writers[key] = stack.enter_context(pq.ParquetWriter(path, part.schema, compression="zstd"))
                    writers[key].write_batch(part)
                progress.advance(rows.bytes_read - position)
                position = rows.bytes_read

    def _parts(self, rows: RawRows, draws: np.random.Generator) -> Iterator[tuple[tuple[int, Part], pa.RecordBatch]]:
        """Yield the rows of each day and part, and count them and their labels."""
        numbers, labels = self._days.numbers(rows), self._labels(rows)
        is_valid = draws.random(rows.num_rows) < self._valid_share
        self._days.refuse_many({*numbers.tolist(), *(number for number, _ in self._rows)})
        for number in np.unique(numbers).tolist():
            for part in PARTS:
                chosen = (numbers == number) & (is_valid == (part == "valid"))
                if not chosen.any():
                    continue
                self._rows[number, part] += int(chosen.sum())
                for task, label in labels.items():
                    self._positive[number, part, task] += int(label[chosen].sum())
                yield (number, part), rows.table.filter(pa.array(chosen))

    def _labels(self, rows: RawRows) -> dict[str, NDArray[np.float32]]:
        data, marks = self._data, marks_of_csv(self._data.csv)
        return {
            target.task: parse_labels(rows, target.label, target.place, blanks=data.csv.blanks, marks=marks)
            for target in data.targets
        }

    def _path(self, key: tuple[int, Part]) -> Path:
        number, part = key
        return self._folder / self._days.label(number) / part

    def _checked(self) -> tuple[DayFiles, ...]:
        numbers = sorted({number for number, _ in self._rows})
        if len(numbers) < _LEAST_DAYS:
            raise DataError(
                f"a log must hold at least {_LEAST_DAYS} days to train on one and test on the next, but column "
                f"{self._by!r} holds {len(numbers)}; name more files, or another column"
            )
        for number in numbers:
            self._require_labels(number)
        return tuple(
            DayFiles(
                self._days.label(number),
                {part: self._rows[number, part] for part in PARTS},
                self._folder / self._days.label(number),
            )
            for number in numbers
        )

    def _require_labels(self, number: int) -> None:
        """Raise unless both labels are among the rows of a day that are trained on, and among those held out."""
        for part, target in ((part, target) for part in PARTS for target in self._data.targets):
            num_rows, num_positive = self._rows[number, part], self._positive[number, part, target.task]
            if num_positive in {0, num_rows}:
                what = "held out for valid" if part == "valid" else "trained on"
                raise DataError(
                    f"each day must hold labels 0 and 1, but of the {num_rows} rows of day {self._days.label(number)} "
                    f"that are {what} {num_positive} have label 1 in column {target.label.column!r}; leave the day "
                    "out, or name a column of longer spans of time"
                )


def names_of(days: Sequence[DayFiles]) -> list[str]:
    """Name the days in their order."""
    return [day.name for day in days]


def as_plain(day: DayFiles) -> dict[str, Any]:
    """Describe a day for JSON."""
    return {"day": day.name, "num_rows": dict(day.num_rows)}
