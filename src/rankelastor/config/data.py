"""Settings of the data: files, format, split, label and fields."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from rankelastor.config.base import Settings
from rankelastor.config.fields import FieldSettings, GroupField

Patterns = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class FileSettings(Settings):
    """Raw files: a path, a glob, or a list of these for each split; or ``all`` with a split in the data settings.

    Files ending in ``.parquet`` are Parquet; all others are CSV, compressed where they end in ``.gz`` or ``.zst``.
    Relative paths count from ``folder``.
    """

    folder: str = "."
    train: Patterns | None = None
    valid: Patterns | None = None
    test: Patterns | None = None
    all: Patterns | None = None

    @field_validator("train", "valid", "test", "all", mode="before")
    @classmethod
    def _one_pattern_is_a_list_of_one(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _splits_or_all(self) -> Self:
        named = [split for split in ("train", "valid", "test") if getattr(self, split) is not None]
        if self.all is not None and named:
            raise ValueError(f"files must name either `all` or splits, but `all` and {named} were given")
        if self.all is None and not {"train", "valid"} <= set(named):
            raise ValueError(
                f"files must name `train` and `valid` (`test` if there is one), or `all` with data.split, "
                f"but {named or 'nothing'} was given"
            )
        return self


class CsvSettings(Settings):
    """How CSV files are written.

    ``delimiter``: one character; null means a tab for ``.tsv`` files (also compressed) and a comma for others.
    ``header``: the first line holds the column names; without one, ``columns`` names them.
    ``blanks``: cell texts that mean blank, beside the empty cell.
    """

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quote: Annotated[str, Field(min_length=1, max_length=1)] | None = '"'
    header: bool = True
    columns: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    blanks: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _marks_are_plain_and_differ(self) -> Self:
        for name, mark in (("delimiter", self.delimiter), ("quote", self.quote)):
            if mark is not None and (not mark.isascii() or mark in "\r\n\0"):
                raise ValueError(f"{name} must be an ASCII character and no line end, but {mark!r} was given")
        if self.quote is not None and self.quote == self.delimiter:
            raise ValueError(f"quote and delimiter must differ, but both are {self.quote!r}")
        return self

    @model_validator(mode="after")
    def _names_come_from_one_place(self) -> Self:
        if self.header and self.columns is not None:
            raise ValueError("columns must be left out where header is true: the header names the columns")
        if not self.header and not self.columns:
            raise ValueError("columns must name every column where header is false")
        if self.columns is not None and len(set(self.columns)) != len(self.columns):
            twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
            raise ValueError(f"columns must differ from one another, but {twice} stand there twice")
        return self


class _Fractions(Settings):
    valid: Annotated[float, Field(gt=0, lt=1)] = 0.1
    test: Annotated[float, Field(ge=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _something_is_left_to_train_on(self) -> Self:
        if self.valid + self.test >= 1:
            raise ValueError(f"valid + test must stay below 1, but {self.valid} + {self.test} was given")
        return self


class RandomSplit(_Fractions):
    """Rows go to the splits by a seeded random permutation."""

    kind: Literal["random"]
    seed: int = 0


class TimeSplit(_Fractions):
    """The oldest rows train, the newest test. Equal times keep the order of the files.

    The column holds numbers, or text whose order is the order of time (ISO, YYMMDDHH).
    """

    kind: Literal["time"]
    column: Annotated[str, Field(min_length=1)]


class FileOrderSplit(_Fractions):
    """The first rows train, the last test: for logs written in the order of time."""

    kind: Literal["file_order"]


SplitSettings = Annotated[RandomSplit | TimeSplit | FileOrderSplit, Field(discriminator="kind")]


class DataSettings(Settings):
    """Everything from raw files to a prepared folder.

    ``prepared`` is the folder to write; recipes with the same data settings share it.
    ``shard_rows``: rows in one prepared file; `prepare` holds one such file of each split in memory. Fewer where
    they would take more than 256 MiB, as with long sequences.
    """

    prepared: Annotated[str, Field(min_length=1)]
    files: FileSettings
    split: SplitSettings | None = None
    csv: CsvSettings = CsvSettings()
    label: Annotated[str, Field(min_length=1)]
    fields: Annotated[tuple[FieldSettings, ...], Field(min_length=1)]
    shard_rows: PositiveInt = 500_000

    @model_validator(mode="after")
    def _split_goes_with_all(self) -> Self:
        if self.files.all is not None and self.split is None:
            raise ValueError("split must be given where files.all is; try `split: {kind: random}`")
        if self.files.all is None and self.split is not None:
            raise ValueError("split must be left out where files names the splits")
        return self

    @model_validator(mode="after")
    def _at_most_one_group(self) -> Self:
        groups = [field.patterns for field in self.fields if isinstance(field, GroupField)]
        if len(groups) > 1:
            raise ValueError(f"fields must hold one group at most, but {len(groups)} were given")
        return self
