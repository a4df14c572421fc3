"""Say in which row a CSV file is wrong. Reads the file a second time, and only once it has failed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from rankelastor.config.data import CsvSettings
from rankelastor.data.raw.csv_stream import CsvStream, NulByteError, open_reader
from rankelastor.errors import DataError

_READ_BYTES = 2 << 20


@contextmanager
def explained(file: Path, settings: CsvSettings, names: tuple[str, ...] = ()) -> Iterator[None]:
    """Turn what Arrow raises while it reads ``file`` into a ``DataError`` that names the row."""
    try:
        yield
    except NulByteError as error:
        where = _row_of_text(file, settings, names, pattern=b"\0")
        raise DataError(
            f"{file}{where} must be UTF-8 text, but a NUL byte stands there; "
            "the file may be damaged, binary or UTF-16: convert it"
        ) from error
    except OSError as error:
        raise DataError(f"{file} must be a file that can be read whole, but {_reason(error)}") from error
    except pa.ArrowInvalid as error:
        raise _explain(str(error), file, settings, names) from error


def refuse_unterminated_quote(last: pa.RecordBatch, tail: bytes, file: Path, settings: CsvSettings) -> None:
    """Raise if the last cell swallowed the end of the file: Arrow takes a quote that never ends for one that does.

    Args:
        last: the last rows of the file, all columns that were read.
        tail: the last bytes of the file.
        file: for the message.
        settings: how the file is written.
    """
    if settings.quote is None or tail.rstrip(b"\r\n").endswith(settings.quote.encode()):
        return
    ends = (str(column[last.num_rows - 1].as_py()) for column in last.columns)
    if any(end.endswith(("\n", "\r")) for end in ends):
        raise DataError(
            f"{file}: a quoted cell must end with {settings.quote}, but the last one never does; "
            "look for a stray quote, or set csv.quote to null if quotes are plain text"
        )


def _reason(error: OSError) -> str:
    text = str(error)
    if isinstance(error, FileNotFoundError):
        return "it does not exist"
    if isinstance(error, PermissionError):
        return "permission is denied"
    if re.search(r"[Cc]ompress|inflate|zlib|ZSTD|zstd", text):
        return f"its compressed stream is damaged or cut off ({text}); copy or download it again"
    return text


def _explain(text: str, file: Path, settings: CsvSettings, names: tuple[str, ...]) -> DataError:
    if "Expected" in text and "columns" in text:
        return _ragged(text, file, settings, names)
    if "UTF8" in text:
        where = _row_of_text(file, settings, names, pattern=None)
        return DataError(f"{file}{where} must be UTF-8 text, but its bytes are not; convert the file to UTF-8")
    if "straddling" in text or "block size" in text:
        return DataError(
            f"{file}: a row must be shorter than {_READ_BYTES >> 20} MiB, but one is longer; "
            "a quote may never end: look for a stray one, or set csv.quote to null if quotes are plain text"
        )
    if "Empty CSV" in text:
        return DataError(f"{file} must hold rows, but it is empty")
    return DataError(f"{file} must be CSV text, but {text}")


def _ragged(text: str, file: Path, settings: CsvSettings, names: tuple[str, ...]) -> DataError:
    """Too many or too few cells. Arrow counts rows only where it reads with one thread, so read so once more."""
    found: list[pacsv.InvalidRow] = []

    def note(row: pacsv.InvalidRow) -> str:
        found.append(row)
        return "error"

    try:
        with CsvStream(file) as stream:
            types = {name: pa.binary() for name in names}
            reader = open_reader(
                stream, settings, names, column_types=types, read_bytes=_READ_BYTES, parallel=False,
                invalid_row_handler=note,
            )  # fmt: skip
            for _ in reader:
                pass
    except pa.ArrowInvalid:
        pass
    if not found:
        return DataError(f"{file}: every row must have as many cells as there are columns, but {text}")
    row = found[0]
    number = row.number - (1 if settings.header else 0)
    return DataError(
        f"{file}, row {number} must have {row.expected_columns} cells, one a column, "
        f"but has {row.actual_columns}: {row.text[:80]!r}; check csv.delimiter and csv.quote"
    )


def _row_of_text(file: Path, settings: CsvSettings, names: tuple[str, ...], *, pattern: bytes | None) -> str:
    """Column and row of the first cell that holds ``pattern``, or that is no UTF-8; nothing if not found."""
    rows_before = 0
    try:
        with CsvStream(file, allow_nul=True) as stream:
            types = {name: pa.binary() for name in names}
            for batch in open_reader(
                stream, settings, names, column_types=types, read_bytes=_READ_BYTES, parallel=False
            ):
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
        pass  # too damaged to say where
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
