"""A table that never cuts a number: on a narrow terminal its columns go on in further tables below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import TextType

from rankelastor.cli.console import UNLIMITED

_LEAST_TEXT = 12
_MOST_TEXT = 40
_LEAST_HEADER = 10
_GAP = 2


class FittedTable(Table):
    """Table without lines, whose first columns name its rows and whose other columns are numbers.

    Where the terminal is too narrow, headers of numbers are broken first, then texts are shortened or broken. If it is
    still too narrow, the numbers that do not fit are shown below, beside the first columns again.

    Args:
        headers: titles of the columns.
        left: number of columns of text at the start; they are repeated beside numbers that are shown below.
        title: title above the table.
        header_style: style of the titles of columns.

    Example:
        >>> table = FittedTable("stage", "mean", "sd")
        >>> table.add_row("mixing 1", "3.251 ± 0.001", "0.250 ± 0.001")
        >>> Console(width=26).print(table)
        stage              mean
        mixing 1  3.251 ± 0.001
        <BLANKLINE>
        stage                sd
        mixing 1  0.250 ± 0.001
    """

    def __init__(self, *headers: str, left: int = 1, title: str | None = None, header_style: str = "bold") -> None:
        super().__init__(
            title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style=header_style
        )
        self.left = left
        for index, header in enumerate(headers):
            self.add_column(header, justify="left" if index < left else "right")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the table, or the tables into which it is divided."""
        needs = [_Need.of(column, console, options) for column in self.columns]
        for index, chosen in enumerate(_divide(needs, self.left, options.max_width)):
            if index:
                yield ""
            yield self._part(chosen, needs, options.max_width, title=None if index else self.title)

    def _part(self, chosen: Sequence[int], needs: Sequence[_Need], room: int, *, title: TextType | None) -> Table:
        """Build the plain table of some columns, with the width of each."""
        part = Table(box=None, pad_edge=False, header_style=self.header_style, title_justify="left", title_style="bold")
        part.title = title
        for index, width in zip(chosen, _widths([needs[index] for index in chosen], room), strict=True):
            column = self.columns[index]
            part.add_column(
                column.header,
                justify=column.justify,
                style=column.style,
                no_wrap=column.no_wrap,
                overflow="fold" if column.justify == "right" else column.overflow,
                width=width,
            )
        cells = [list(self.columns[index].cells) for index in chosen]
        for row, content in zip(self.rows, zip(*cells, strict=True), strict=True):
            part.add_row(*content, style=row.style, end_section=row.end_section)
        return part


@dataclass(frozen=True)
class _Need:
    """Width of a column in characters: what it would like, and the least that shows it well."""

    natural: int
    least: int
    is_number: bool

    @classmethod
    def of(cls, column: Column, console: Console, options: ConsoleOptions) -> _Need:
        """Measure a column: numbers need all their characters, headers and texts can be broken or shortened."""
        wide = options.update(width=UNLIMITED)
        cells = max((Measurement.get(console, wide, cell).maximum for cell in column.cells), default=0)
        header = Measurement.get(console, wide, column.header)
        natural = max(cells, header.maximum, 1)
        if column.no_wrap and options.max_width < UNLIMITED:
            natural = min(natural, _MOST_TEXT)
        is_number = column.justify == "right"
        least = max(cells, min(header.minimum, _LEAST_HEADER)) if is_number else min(natural, _LEAST_TEXT)
        return cls(natural, max(least, column.min_width or 1), is_number)


def _divide(needs: Sequence[_Need], left: int, room: int) -> Iterator[list[int]]:
    """Yield the columns of each part: the first ``left`` columns, and as many of the others as fit beside them."""
    keys = list(range(left))
    used_by_keys = sum(needs[index].least + _GAP for index in keys)
    chosen, used = list(keys), used_by_keys
    for index in range(left, len(needs)):
        if used + needs[index].least > room and len(chosen) > len(keys):
            yield chosen
            chosen, used = list(keys), used_by_keys
        chosen.append(index)
        used += needs[index].least + _GAP
    yield chosen


def _widths(needs: Sequence[_Need], room: int) -> list[int]:
    """Choose the widths of the columns of a part: first headers of numbers give way, then the longest texts."""
    widths = [need.natural for need in needs]
    over = sum(widths) + _GAP * (len(widths) - 1) - room
    for is_number in (True, False):
        while over > 0:
            spare = {
                index: widths[index]
                for index, need in enumerate(needs)
                if need.is_number == is_number and widths[index] > need.least
            }
            if not spare:
                break
            longest = max(spare, key=lambda index: widths[index])
            widths[longest] -= 1
            over -= 1
    return widths


def printable(text: str | None) -> str:
    r"""Escape characters that a terminal cannot print, such as line ends and control characters.

    Example:
        >>> printable("a tab\t and a bell\a")
        'a tab\\t and a bell\\x07'
    """
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text or "")
