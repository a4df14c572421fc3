"""A table of a report: values by column, written as Markdown for people and as CSV for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "count", "metric", "signed", "p", "number"]
Value = str | float | int | None
_FORMATS: dict[Kind, str] = {"count": ",.0f", "metric": ".6f", "signed": "+.6f"}
_LEAST_P = 0.001
"""Smaller p-values are not told apart: their digits stand on the tails of a distribution."""


@dataclass(frozen=True)
class Column:
    """A column: its title, and how its values are written."""

    title: str
    kind: Kind = "text"


@dataclass(frozen=True)
class ReportTable:
    """A table.

    Attributes:
        name: short name, which is that of its CSV file.
        title: title for people.
        columns: the columns.
        rows: a value for each column; None is blank.
        notes: sentences below it: what was tested, and what it can tell.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    notes: tuple[str, ...] = ()

    def as_markdown(self) -> str:
        """Write the table and its notes as Markdown.

        Example:
            >>> table = ReportTable("t", "T", (Column("model"), Column("auc", "metric")), (("mlp", 0.75),))
            >>> print(table.as_markdown())
            | model | auc |
            | --- | --- |
            | mlp | 0.750000 |
        """
        lines = [_line([column.title for column in self.columns]), _line(["---"] * len(self.columns))]
        lines += [_line(self.texts(row)) for row in self.rows]
        notes = ["", *self.notes] if self.notes else []
        return "\n".join([*lines, *notes])

    def as_csv(self) -> str:
        """Write the table as CSV with full precision, without notes."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow([column.title for column in self.columns])
        writer.writerows([["" if value is None else value for value in row] for row in self.rows])
        return buffer.getvalue()

    def texts(self, row: Sequence[Value]) -> list[str]:
        """Write the values of a row as people read them."""
        return [text_of(value, column.kind) for value, column in zip(row, self.columns, strict=True)]


def text_of(value: Value, kind: Kind) -> str:
    """Write a value as people read it.

    Example:
        >>> text_of(0.0123456, "signed"), text_of(66211, "count"), text_of(0.0004, "p"), text_of(None, "metric")
        ('+0.012346', '66,211', '< 0.001', '')
    """
    if value is None or isinstance(value, str):
        return value or ""
    if kind == "p":
        return "< 0.001" if value < _LEAST_P else f"{value:.3f}"
    return format(value, _FORMATS.get(kind, ".4g"))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
