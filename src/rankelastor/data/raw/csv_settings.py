"""Settings of CSV files."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from rankelastor.config.base import Settings


class CsvSettings(Settings):
    """The format of CSV files."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        None,
        description="The ASCII character between two cells; null means a tab for `.tsv` files (also compressed) and a "
        "comma for others.",
    )
    quote: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        '"',
        description="The ASCII character around a cell that contains delimiters or line ends; null if quotes are plain "
        "text.",
    )
    header: bool = Field(
        True,  # noqa: FBT003 - a default
        description="Whether the first line holds the column names; without a header, `columns` names them.",
    )
    columns: tuple[Annotated[str, Field(min_length=1)], ...] | None = Field(
        None, description="The names of all columns in their order, for files without a header."
    )
    blanks: tuple[str, ...] = Field((), description="Texts of cells that mean blank, besides the empty cell.")
    decimal: str = Field(".", min_length=1, max_length=1, description="The decimal mark of numbers.")
    thousands: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        None, description="The mark between groups of three digits of a number; null if there is none."
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
