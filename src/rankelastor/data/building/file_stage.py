"""Stage one raw file by itself, with dictionaries of its own, so that files can be staged on several machines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from rankelastor.data.building.field_plan import FieldPlan
from rankelastor.data.building.staging import StagedPart, Stager
from rankelastor.data.building.workers import Workers
from rankelastor.data.cells.time_keys import TimeState
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.rows import read_rows
from rankelastor.data.raw.source_files import SourceFile
from rankelastor.data.split_settings import TimeSplit


@dataclass(frozen=True)
class FileToStage:
    """A raw file to stage: the plan, how it is read, its number among the files, and the folder of the staged parts."""

    source: SourceFile
    number: int
    plan: FieldPlan
    csv: CsvSettings
    split: TimeSplit | None
    folder: Path
    read_bytes: int


@dataclass(frozen=True)
class StagedFile:
    """What staging a file gave.

    Attributes:
        source: the file.
        parts: its parts, whose codes are those of the dictionaries of this file.
        values: the texts of each dictionary, in order of their codes, by the feature that owns the vocabulary.
        groups: the texts of the groups; None without.
        times: what the times of the file look like; None unless the split is by time.
        num_bytes: number of bytes read.
    """

    source: SourceFile
    parts: tuple[StagedPart, ...]
    values: dict[str, pl.Series]
    groups: pl.Series | None
    times: TimeState | None
    num_bytes: int


def stage_file(job: FileToStage) -> StagedFile:
    """Read, parse and check a file and write its staged parts; done again, it replaces them by the same.

    Raises:
        DataError: a cell is wrong; the message names file, column, row and value.
    """
    num_bytes = 0
    with Workers(1) as workers:
        stager = Stager(job.plan, job.csv, job.folder, workers, job.split, prefix=f"file-{job.number:06d}-")
        for read in read_into(stager, job.source, job.csv, read_bytes=job.read_bytes):
            num_bytes += read
    return StagedFile(
        job.source,
        tuple(stager.parts),
        {name: interner.values() for name, interner in stager.interners.items()},
        None if stager.groups is None else stager.groups.values(),
        stager.time_state,
        num_bytes,
    )


def read_into(stager: Stager, source: SourceFile, csv: CsvSettings, *, read_bytes: int) -> Iterator[int]:
    """Stage the rows of a file piece by piece; yield the number of bytes that each piece took.

    Raises:
        DataError: a cell is wrong; the message names file, column, row and value.
    """
    plan, position = stager.plan, 0
    for rows in read_rows(
        source.path,
        csv,
        plan.columns,
        distinct=plan.distinct_columns,
        numbers=plan.number_columns,
        read_bytes=read_bytes,
        partitions=source.partitions,
    ):
        stager.add(rows, source.split)
        yield rows.bytes_read - position
        position = rows.bytes_read


def absorb(stager: Stager, staged: StagedFile) -> None:
    """Take the parts of a staged file over, with the codes that its texts have in the dictionaries of all files.

    Raises:
        DataError: its times do not look like those of the files before.
    """
    if staged.times is not None:
        stager.agree_on_times(staged.times, staged.source.path)
    codes = {owner: stager.interners[owner].codes(values) for owner, values in staged.values.items()}
    groups = None
    if staged.groups is not None:
        assert stager.groups is not None, "one plan is that of all files"
        groups = stager.groups.codes(staged.groups)
    stager.take_over(staged.parts, codes, groups)
