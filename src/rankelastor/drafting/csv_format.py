"""Recognise the format of a CSV file from its first lines: delimiter, quotes, header."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rankelastor.data.raw.contents import contents_of
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.csv_stream import CsvStream, delimiter_of
from rankelastor.drafting.draft import Choice
from rankelastor.errors import DataError
from rankelastor.remote.remote_path import AnyPath

_DELIMITERS = (",", "\t", ";", "|", "^", ":", " ")
_NAMES = {
    ",": "a comma",
    "\t": "a tab",
    ";": "a semicolon",
    "|": "a bar",
    "^": "a caret",
    ":": "a colon",
    " ": "a space",
}
_LOOK_BYTES = 1 << 18
_LINES = 200
_SAME_WIDTH = 0.95


def recognise_csv(file: Path) -> Choice[CsvSettings]:
    """Choose the delimiter that cuts the first lines into equally many cells, the most of them; quotes; the header.

    A first line that holds numbers is no header; the columns are then named ``column_1`` and so on.

    Raises:
        DataError: the file is empty, is not text, or no delimiter cuts its lines into columns.
    """
    text, delimiter_name = _first_text(file)
    found = _ways_to_cut(text, '"') or _ways_to_cut(text, None)
    if not found:
        raise DataError(
            f"{file} must be CSV with two columns or more, but none of comma, tab, semicolon, bar, caret, colon and "
            "space cuts its lines into equally many cells; check the file, or write it as CSV or Parquet"
        )
    records, delimiter, quote = max(found, key=lambda way: len(way[0][0]))
    header = _is_header(records)
    names = None if header else [f"column_{index + 1}" for index in range(len(records[0]))]
    values = (
        ({} if delimiter == delimiter_of(delimiter_name, CsvSettings()) else {"delimiter": delimiter})
        | ({"quote": None} if quote is None else {})
        | ({} if names is None else {"header": False, "columns": names})
    )
    return Choice(CsvSettings.model_validate(values), _reason(delimiter, quote, records, header=header))


def _ways_to_cut(text: str, quote: str | None) -> list[tuple[list[list[str]], str, str | None]]:
    """List the delimiters that cut the lines into equally many cells, each with the cells."""
    cut = [(_cut(text, delimiter, quote), delimiter, quote) for delimiter in _DELIMITERS]
    return [way for way in cut if way[0]]


def _reason(delimiter: str, quote: str | None, records: Sequence[Sequence[str]], *, header: bool) -> str:
    parts = [f"{_NAMES[delimiter]} cuts each line into {len(records[0])} cells"]
    if quote is None:
        parts.append("quotes are plain text, since they do not come in pairs")
    if not header:
        parts.append("the first line holds numbers or blanks, so it is no header; give the columns their names here")
    return "; ".join(parts)


def _first_text(file: Path) -> tuple[str, AnyPath]:
    """Read the first lines, and the name that tells the delimiter."""
    try:
        with CsvStream(file, allow_nul=True) as stream:
            data = b""
            while len(data) < _LOOK_BYTES and (more := stream.read(_LOOK_BYTES - len(data))):
                data += more
            name = stream.delimiter_name
    except OSError as error:
        damaged = "; its compressed stream may be damaged" if contents_of(file).compression else ""
        raise DataError(f"{file} must be a readable file, but {error}{damaged}") from error
    if b"\0" in data:
        raise DataError(f"{file} must be UTF-8 text, but holds a NUL byte; it may be binary or UTF-16: convert it")
    text = data.decode("utf-8-sig", errors="replace")
    if len(data) == _LOOK_BYTES:
        text = text.rpartition("\n")[0]
    if not text.strip():
        raise DataError(f"{file} must hold rows, but it is empty")
    return text, name


def _cut(text: str, delimiter: str, quote: str | None) -> list[list[str]]:
    """Cut the first lines into cells; empty unless nearly all lines have the same number of cells, two or more."""
    lines = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quotechar=quote,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        strict=True,
    )
    records: list[list[str]] = []
    try:
        for record in lines:
            if record:
                records.append(record)
            if len(records) > _LINES:
                break
    except csv.Error as error:
        if "end of data" not in str(error):  # where the text was cut, a cell may be open
            return []
    widths = Counter(map(len, records))
    if not records or len(records[0]) < 2 or widths[len(records[0])] < _SAME_WIDTH * len(records):  # noqa: PLR2004
        return []
    return records


def _is_header(records: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first line names the columns: no name twice, one blank name at most, and mostly no numbers.

    A number above numbers is likelier a row than a name; a text above numbers is surely a name.
    """
    first, rest = records[0], records[1:]
    if sum(not cell.strip() for cell in first) > 1 or len(set(first)) < len(first):
        return False
    above_numbers = [_is_number(name) for index, name in enumerate(first) if _holds_numbers(rest, index)]
    return not any(map(_is_number, first)) or above_numbers.count(False) > above_numbers.count(True)


def _holds_numbers(records: Sequence[Sequence[str]], index: int) -> bool:
    cells = [record[index] for record in records if len(record) > index and record[index].strip()]
    return bool(cells) and all(map(_is_number, cells))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
