from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankelastor.data.raw import parquet_file
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.rows import column_names, read_rows
from rankelastor.errors import DataError


def test_batches_keep_types_and_number_rows(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": list(range(100_000)), "y": ["a"] * 100_000}), file, row_group_size=30_000)
    pieces = list(read_rows(file, CsvSettings(), ["x"]))
    assert column_names(file, CsvSettings()) == ("x", "y")
    assert sum(piece.num_rows for piece in pieces) == 100_000
    assert pieces[-1].column("x")[-1].as_py() == pieces[-1].row_number(pieces[-1].num_rows - 1) - 1
    assert pieces[-1].bytes_read == file.stat().st_size
    assert pieces[0].names == ("x",)


@pytest.mark.parametrize("content", [b"", b"no parquet at all", b"PAR1" + b"x" * 20 + b"PAR1"])
def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.parquet"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"a.parquet must be a readable Parquet file, but"):
        next(read_rows(file, CsvSettings()))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [1]}), file)
    with pytest.raises(DataError, match=r"a.parquet must have the column 'y', but has only 'x'"):
        next(read_rows(file, CsvSettings(), ["y"]))


def test_an_empty_table_has_no_rows(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": pa.array([], pa.int64())}), file)
    assert sum(piece.num_rows for piece in read_rows(file, CsvSettings())) == 0


@pytest.mark.parametrize("groups", [0, 1])
def test_an_empty_table_is_one_empty_piece_where_asked_for(tmp_path: Path, groups: int) -> None:
    file = tmp_path / "a.parquet"
    schema = pa.schema({"x": pa.int64(), "y": pa.dictionary(pa.int32(), pa.string())})
    with pq.ParquetWriter(file, schema) as writer:
        for _ in range(groups):
            writer.write_table(schema.empty_table())
    (piece,) = read_rows(file, CsvSettings(), ["y", "x"], allow_empty=True)
    assert (piece.num_rows, piece.names) == (0, ("x", "y"))
    assert piece.bytes_read == file.stat().st_size
    assert list(read_rows(file, CsvSettings())) == []


def not_utf8() -> pa.Array:
    """Make three texts, the second of which is the byte 0xff, which some writers do not refuse."""
    offsets = np.array([0, 1, 2, 3], dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), 3, [None, pa.py_buffer(offsets), pa.py_buffer(b"a\xffb")])


def nested(cells: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), cells)


def encoded(cells: pa.Array) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.int32()), cells)


@pytest.mark.parametrize(
    "cells",
    [not_utf8(), not_utf8().cast(pa.large_string()), nested(not_utf8()), encoded(not_utf8())],
    ids=["text", "large", "list", "dictionary"],
)
def test_a_text_that_is_no_utf8_is_named(tmp_path: Path, cells: pa.Array) -> None:
    file = tmp_path / "a.parquet"
    good = pa.array([["a"] if pa.types.is_list(cells.type) else "a"] * 70_000).cast(cells.type)
    with pq.ParquetWriter(file, pa.schema({"x": cells.type, "y": pa.string()})) as writer:
        writer.write_table(pa.table({"x": good, "y": ["b"] * 70_000}))
        writer.write_table(pa.table({"x": cells, "y": ["b"] * 3}))
    with pytest.raises(DataError, match=r"a.parquet, column 'x', row 70002 must hold text in UTF-8, but"):
        list(read_rows(file, CsvSettings()))
    assert sum(piece.num_rows for piece in read_rows(file, CsvSettings(), ["y"])) == 70_003


def test_a_name_that_is_no_utf8_is_a_message(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"sitename": ["a"], "age": [1]}), file, store_schema=False)
    file.write_bytes(file.read_bytes().replace(b"sitename", b"\xff\xfetename"))
    with pytest.raises(DataError, match=r"a\.parquet must (have names in UTF-8|be a readable Parquet file), but"):
        list(read_rows(file, CsvSettings()))


def test_lists_of_encoded_texts_are_checked_too(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": nested(encoded(not_utf8()))}), file)
    with pytest.raises(DataError, match=r"a.parquet, column 'x', row 2 must hold text in UTF-8, but"):
        list(read_rows(file, CsvSettings()))


def test_long_rows_come_in_pieces_of_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.parquet"
    long = [f"{number:0100}" for number in range(2_000)]
    pq.write_table(pa.table({"long": long, "short": range(2_000)}), file, use_dictionary=False, compression="zstd")
    monkeypatch.setattr(parquet_file, "PIECE_BYTES", 10_000)
    pieces = list(read_rows(file, CsvSettings()))
    assert max(piece.table.get_total_buffer_size() for piece in pieces) < 20_000
    assert [text for piece in pieces for text in piece.column("long").to_pylist()] == long
    assert next(read_rows(file, CsvSettings(), ["short"])).num_rows > 5 * pieces[0].num_rows


def test_a_damaged_file_is_a_message_and_not_the_end_of_the_process(tmp_path: Path) -> None:
    """Statistics that contradict the schema: pyarrow ends the process if it is asked for the sizes of the column."""
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"site": ["a", "b"] * 10, "age": range(20)}), file)
    whole = file.read_bytes()
    for place in range(len(whole) - 400, len(whole) - 8, 2):
        file.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        with suppress(DataError):
            for _ in read_rows(file, CsvSettings()):
                pass
