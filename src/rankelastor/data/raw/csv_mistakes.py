"""Find the row in which a CSV file is wrong, by reading the file a second time after it has failed."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from rankelastor.data.raw.column_names import DELIMITERS
from rankelastor.data.raw.contents import contents_of
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.csv_stream import (
    READ_AHEAD,
    READ_BYTES,
    CsvStream,
    NulByteError,
    parse_batches,
)
from rankelastor.errors import DataError
from rankelastor.remote.failures import explain_native
from rankelastor.remote.remote_path import AnyPath

_SMALL_READ = 1 << 12


@contextmanager
def explain_csv_errors(file: AnyPath, settings: CsvSettings, names: tuple[str, ...] = ()) -> Iterator[None]:
    """Turn the errors of Arrow while it reads ``file`` into a ``DataError`` that names the row."""
    try:
        yield
    except NulByteError as error:
        where = _row_of_text(file, settings, names, pattern=b"\0")
        raise DataError(
            f"{file}{where} must be UTF-8 text, but holds a NUL byte; "
            "the file may be damaged, binary or UTF-16: convert it"
        ) from error
    except OSError as error:
        explain_native(file, error)
        raise DataError(f"{file} must be a readable file, but {_reason(error, file)}") from error
    except pa.ArrowInvalid as error:
        raise _explain(str(error), file, settings, names) from error


def refuse_unterminated_quote(
    last: pa.RecordBatch, num_rows: int, stream: CsvStream, settings: CsvSettings, names: tuple[str, ...]
) -> None:
    """Raise if the last cell has an unterminated quote, which Arrow accepts silently.

    Args:
        last: the last rows of the file, with the columns that were read.
        num_rows: number of rows of the file.
        stream: the file, read to its end.
        settings: the format of the file.
        names: the names of its columns.
    """
    if settings.quote is None or stream.tail.rstrip(b"\r\n").endswith(settings.quote.encode()):
        return
    swallowed = any(str(column[last.num_rows - 1].as_py()).endswith(("\n", "\r")) for column in last.columns)
    if not swallowed and stream.num_quotes % 2:  # suspicious, although quotes inside an unquoted cell are valid
        swallowed = _never_closes(_last_cell(stream.file, settings, names), stream.tail, settings.quote)
    if swallowed:
        raise DataError(
            f"{stream.file}, column {names[-1]!r}, row {num_rows}: a quoted cell must end with {settings.quote}, but "
            "this one does not; look for a stray quote, or set csv.quote to null if quotes are plain text"
        )


def _never_closes(cell: str, tail: bytes, quote: str) -> bool:
    """Tell whether the last cell of a file, which does not end with a quote, begins with one."""
    if cell.endswith(("\n", "\r")):
        return True
    written = (quote + cell.replace(quote, quote * 2)).encode()
    return tail.endswith(written[-len(tail) :])


def _last_cell(file: AnyPath, settings: CsvSettings, names: tuple[str, ...]) -> str:
    """Read the cell of the last column in the last row; the column may not be among those read before."""
    cell = ""
    with CsvStream(file, read_ahead=READ_AHEAD) as stream:
        for batch in parse_batches(stream, settings, names, column_types={names[-1]: pa.binary()}):
            if batch.num_rows:
                cell = batch.column(0)[batch.num_rows - 1].as_py().decode(errors="replace")
    return cell


def _reason(error: OSError, file: AnyPath) -> str:
    text = str(error)
    if isinstance(error, FileNotFoundError):
        return "it does not exist"
    if isinstance(error, PermissionError):
        return "permission is denied"
    if re.search(r"[Cc]ompress|inflate|zlib|ZSTD|zstd", text):
        return (
            f"its compressed stream is damaged or cut off{_where_it_breaks(file)} ({text}); copy or download it again"
        )
    return text


def _where_it_breaks(file: AnyPath) -> str:
    """Say how far a compressed file can be read, in lines of text (not rows: it does not parse quotes or headers)."""
    num_bytes = num_lines = 0
    if contents_of(file).compression is None:
        return ""
    try:
        with CsvStream(file, allow_nul=True) as stream:
            while data := stream.read(_SMALL_READ):
                num_bytes, num_lines = num_bytes + len(data), num_lines + data.count(b"\n")
    except OSError:
        pass
    return f" after line {num_lines:,} of its text, {num_bytes:,} bytes in"


def _explain(text: str, file: AnyPath, settings: CsvSettings, names: tuple[str, ...]) -> DataError:
    if "Expected" in text and "columns" in text:
        return _ragged(text, file, settings, names)
    if "UTF8" in text:
        where = _row_of_text(file, settings, names, pattern=None)
        return DataError(f"{file}{where} must be UTF-8 text, but its bytes are not; convert the file to UTF-8")
    if "straddling" in text or "block size" in text:
        return DataError(
            f"{file}: a row must be shorter than {READ_BYTES >> 20} MiB, but one is longer; "
            "a quote may be unterminated: look for a stray one, or set csv.quote to null if quotes are plain text"
        )
    if "Empty CSV" in text:
        return DataError(f"{file} must hold rows, but it is empty")
    return DataError(f"{file} must be CSV text, but {text}")


def _ragged(text: str, file: AnyPath, settings: CsvSettings, names: tuple[str, ...]) -> DataError:
    """Find the row with too many or too few cells; Arrow counts rows only if it reads with one thread."""
    found: list[pacsv.InvalidRow] = []

    def note(row: pacsv.InvalidRow) -> str:
        found.append(row)
        return "error"

    try:
        with _Latin1Stream(file, read_ahead=READ_AHEAD) as stream:
            shown = tuple(_as_latin1(name) for name in names)
            types = {name: pa.binary() for name in shown}
            for _ in parse_batches(
                stream, settings, shown, column_types=types, parallel=False, invalid_row_handler=note
            ):
                pass
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        pass
    if not found:
        return DataError(f"{file}: every row must have one cell per column, but {text}")
    row = found[0]
    number = row.number - (1 if settings.header else 0)
    line = row.text.encode("latin-1").decode("utf-8", errors="replace")
    mark = _other_delimiter(line, row.expected_columns)
    advice = f"try csv.delimiter: {json.dumps(mark)}" if mark else "fix the row, or check csv.delimiter and csv.quote"
    return DataError(
        f"{file}, row {number} must have {row.expected_columns} cells, one per column, "
        f"but has {row.actual_columns}: {line[:80]!r}; {advice}"
    )


class _Latin1Stream(CsvStream):
    """A stream in which each byte is one character: Arrow shows rows as text, and bytes may be no UTF-8."""

    def read(self, size: int = -1) -> bytes:
        """Read bytes; each one that is not ASCII becomes two."""
        is_first = len(self.positions) == 1
        data = super().read(size if size < 0 else max(1, size // 2))
        return (data.removeprefix(codecs.BOM_UTF8) if is_first else data).decode("latin-1").encode()


def _as_latin1(name: str) -> str:
    return name.encode().decode("latin-1")


def _other_delimiter(text: str, num_columns: int) -> str:
    """Find the mark that cuts a row into the right number of cells; empty if there is none."""
    return next((mark for mark in DELIMITERS if num_columns > 1 and text.count(mark) == num_columns - 1), "")


def _row_of_text(file: AnyPath, settings: CsvSettings, names: tuple[str, ...], *, pattern: bytes | None) -> str:
    """Find column and row of the first cell that holds ``pattern`` (None: that is not UTF-8), as text for a message."""
    rows_before = 0
    try:
        with CsvStream(file, allow_nul=True, read_ahead=READ_AHEAD) as stream:
            types = {name: pa.binary() for name in names}
            for batch in parse_batches(stream, settings, names, column_types=types, parallel=False):
                found = [
                    (index, name)
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                    if (index := _first_wrong(column, pattern)) is not None
                ]
                if found:
                    index, name = min(found, key=lambda place: place[0])
                    return f", column {name!r}, row {rows_before + index + 1}"
                rows_before += batch.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        pass  # the file is too damaged to locate the cell
    return ""


def _first_wrong(column: pa.Array, pattern: bytes | None) -> int | None:
    if pattern is not None:
        wrong = pc.index(pc.greater_equal(pc.find_substring(column, pattern), 0), value=True).as_py()
        return None if wrong < 0 else int(wrong)
    try:
        column.cast(pa.string())
    except pa.ArrowInvalid:
        return next(index for index, cell in enumerate(column) if not _is_utf8(cell.as_py()))
    return None


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True
