"""Tables in HTML, as notebooks show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_ONE_LINE = "text-align: left; white-space: nowrap"


def html_table(head: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "") -> str:
    """Write a table in HTML; all texts are escaped.

    Example:
        >>> html_table(["field"], [["a<b"]])
        '<table><tr><th>field</th></tr><tr><td>a&lt;b</td></tr></table>'
    """
    title = f'<caption style="{_ONE_LINE}">{escape(caption)}</caption>' if caption else ""
    body = "".join(_row("td", row) for row in rows)
    return f"<table>{title}{_row('th', head)}{body}</table>"


def _row(tag: str, cells: Sequence[object]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(str(cell))}</{tag}>' for cell in cells)}</tr>"
