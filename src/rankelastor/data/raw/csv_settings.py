"""Settings of CSV files."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from rankelastor.config.base import Settings


class CsvSettings(Settings):
    """The format of CSV files.

    ``delimiter``: one character; null means a tab for ``.tsv`` files (also compressed) and a comma for others.
    ``header``: whether the first line holds the column names; without a header, ``columns`` names them.
    ``blanks``: cell texts that mean blank, besides the empty cell.
    ``decimal``: the decimal mark of numbers; ``thousands``: the mark between groups of three digits, if there is one.
    """

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quote: Annotated[str, Field(min_length=1, max_length=1)] | None = '"'
    header: bool = True
    columns: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    blanks: tuple[str, ...] = ()
    decimal: Annotated[str, Field(min_length=1, max_length=1, description="The decimal mark of numbers.")] = "."
    thousands: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        None, description="The mark between groups of three digits of a number; null: there is none."
    )

    @model_validator(mode="after")
    def _marks_are_plain_and_differ(self) -> Self:
        for name, mark in (("delimiter", self.delimiter), ("quote", self.quote)):
            if mark is not None and (not mark.isascii() or mark in "\r\n\0"):
                raise ValueError(f"{name} must be an ASCII character other than a line end, but {mark!r} was given")
        if self.quote is not None and self.quote == self.delimiter:
            raise ValueError(f"quote and delimiter must differ, but both are {self.quote!r}")
        return self

    @model_validator(mode="after")
    def _number_marks_differ(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands must differ, but both are {self.decimal!r}")
        for name, mark in (("decimal", self.decimal), ("thousands", self.thousands)):
            if mark is not None and (mark.isalnum() or mark in "+-"):
                raise ValueError(f"{name} must be a mark such as a point, a comma or a space, but {mark!r} was given")
        return self

    @model_validator(mode="after")
    def _names_come_from_one_place(self) -> Self:
        if self.header and self.columns is not None:
            raise ValueError("columns must be left out if header is true: the header names the columns")
        if not self.header and not self.columns:
            raise ValueError("columns must name every column if header is false")
        if self.columns is not None and len(set(self.columns)) != len(self.columns):
            twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
            raise ValueError(f"columns must differ from one another, but {twice} occur twice")
        return self
