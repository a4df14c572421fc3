"""Read numbers that are written as text, with the marks of their country."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from rankelastor.data.cells.spelling import SPACES


@dataclass(frozen=True)
class NumberMarks:
    """The marks in numbers that are written as text: ``1.234,5`` has the decimal mark ``,`` and thousands ``.``."""

    decimal: str = "."
    thousands: str | None = None

    @property
    def are_plain(self) -> bool:
        """Whether numbers are written with a point and without thousands separators."""
        return self == NumberMarks()


PLAIN = NumberMarks()


def marks_of(cells: pa.Array, marks: NumberMarks) -> NumberMarks:
    """Return the marks of the numbers in these cells: typed numbers have plain ones once they are spelled."""
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    return marks if pa.types.is_string(kind) or pa.types.is_large_string(kind) else PLAIN


def read_numbers(texts: pl.Series, marks: NumberMarks = PLAIN) -> pl.Series:
    """Read each text as float64, null if it is no number. Spaces around it are ignored.

    A thousands separator must stand between groups of three digits; ``1.5`` is no number if it separates thousands.

    Example:
        >>> read_numbers(pl.Series(["1.234,5", "12", "1.5", " -0,5 "]), NumberMarks(",", ".")).to_list()
        [1234.5, 12.0, None, -0.5]
    """
    return plain_numbers(texts, marks).cast(pl.Float64, strict=False)


def plain_numbers(texts: pl.Series, marks: NumberMarks = PLAIN) -> pl.Series:
    """Rewrite numbers with a point and without thousands separators; other texts become null if there are marks.

    Example:
        >>> plain_numbers(pl.Series(["1 234,5", "x"]), NumberMarks(",", " ")).to_list()
        ['1234.5', None]
    """
    texts = texts.str.strip_chars(SPACES)
    if marks.are_plain:
        return texts
    decimal = _escaped(marks.decimal)
    digits = r"\d+" if marks.thousands is None else rf"(?:\d+|\d{{1,3}}(?:{_escaped(marks.thousands)}\d{{3}})+)"
    number = rf"^[+-]?(?:{digits}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?$"
    texts = texts.set(~texts.str.contains(number).fill_null(value=False), None)
    if marks.thousands is not None:
        texts = texts.str.replace_all(marks.thousands, "", literal=True)
    return texts.str.replace(marks.decimal, ".", literal=True)


def _escaped(mark: str) -> str:
    """Escape a mark for a pattern."""
    return f"[{mark}]" if mark not in "^\\]" else f"\\{mark}"
