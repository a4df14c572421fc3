"""Any table survives a round trip through each format, and is read in pieces of bounded size."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import orc

from rankelastor.data.raw import arrow_file, columnar_file, orc_file
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.frames import frame_rows
from rankelastor.data.raw.rows import RawRows, column_names, is_empty, read_rows
from rankelastor.errors import DataError
from rankelastor.serving.output import open_writer
from rankelastor.serving.output_names import OutputFormat

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=5)
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float64": st.floats(allow_nan=False),
    "string": TEXT,
    "bool": st.booleans(),
}
TYPES = {"int64": pa.int64(), "float64": pa.float64(), "string": pa.string(), "bool": pa.bool_()}


@pytest.fixture(autouse=True, scope="module")
def _without_probes() -> Iterator[None]:
    """Files that a test has just written need not be read in a process of their own first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orc_file, "require_survivable", lambda _: None)
        yield


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Draw a table with any column names, types and values, nulls among them."""
    names = draw(st.lists(TEXT.filter(bool), min_size=1, max_size=4, unique=True))
    num_rows = draw(st.integers(1, 5))
    columns = {}
    for name in names:
        kind = draw(st.sampled_from(sorted(COLUMNS)))
        cells = draw(st.lists(st.none() | COLUMNS[kind], min_size=num_rows, max_size=num_rows))
        columns[name] = pa.array(cells, TYPES[kind])
    return pa.table(columns)


def write_feather(table: pa.Table, file: Path) -> None:
    with pa.ipc.new_file(str(file), table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)


def write_stream(table: pa.Table, file: Path) -> None:
    with pa.ipc.new_stream(str(file), table.schema) as writer:
        writer.write_table(table)


WRITERS: dict[str, Callable[[pa.Table, Path], object]] = {
    "parquet": pq.write_table,
    "feather": write_feather,
    "stream": write_stream,
    "orc": lambda table, file: orc.write_table(table, str(file)),
}


def joined(pieces: list[RawRows]) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = pa.Table.from_batches([piece.table for piece in pieces]).to_pydict()
    return values


@settings(max_examples=25)
@given(tables(), TEXT.filter(lambda name: name.strip(". ") and "/" not in name))
def test_any_table_survives_each_format_under_any_file_name(table: pa.Table, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for format_name, write in WRITERS.items():
            file = Path(folder) / f"{name}{format_name}"
            write(table, file)
            assert column_names(file, CsvSettings()) == tuple(table.schema.names)
            assert joined(list(read_rows(file, CsvSettings()))) == table.to_pydict(), format_name
            last = table.schema.names[-1]
            assert next(read_rows(file, CsvSettings(), [last])).names == (last,)
    assert joined(list(frame_rows(table))) == table.to_pydict()
    assert joined(list(frame_rows(pl.from_arrow(table)))) == table.to_pydict()


@settings(max_examples=25)
@given(tables())
def test_what_predict_writes_is_read_back(table: pa.Table) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("parquet", "feather", "orc"):
            file = Path(folder) / f"out.{kind}"
            write_output(file, kind, table)
            assert joined(list(read_rows(file, CsvSettings()))) == table.to_pydict(), kind


@settings(max_examples=25)
@given(tables())
def test_the_texts_that_predict_writes_as_csv_are_read_back(table: pa.Table) -> None:
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    expected = {name: [cell or "" for cell in table[name].to_pylist()] for name in texts}
    if len(texts) < 2:  # a blank cell of a single column is an empty line
        return
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("csv", "tsv.gz", "csv.zst", "csv.bz2", "csv.xz"):
            file = Path(folder) / f"out.{suffix}"
            write_output(file, "tsv" if suffix.startswith("tsv") else "csv", table.select(texts))
            assert joined(list(read_rows(file, CsvSettings()))) == expected, suffix


def write_output(file: Path, kind: OutputFormat, table: pa.Table) -> None:
    with open_writer(file, kind, CsvSettings(), name=file) as writer:
        for batch in table.to_batches():
            writer.write(batch)


VIEWS = {
    "views of texts": pa.array(["a", None], pa.string_view()),
    "views of bytes": pa.array([b"a", None], pa.binary_view()),
    "run ends": pc.run_end_encode(pa.array(["a", "a"])),
    "lists of views": pa.array([["a"], None], pa.list_(pa.string_view())),
    "lists of two views": pa.array([["a", None], ["b", "c"]], pa.list_(pa.string_view(), 2)),
    "list views": pa.array([[1], [2, 3]], pa.list_view(pa.int64())),
    "list views with nulls": pa.array([None, [2, None]], pa.large_list_view(pa.int64())),
    "list views of views": pa.array([["a"], []], pa.list_view(pa.string_view())),
    "encoded views": pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.uint32()), pa.array(["a"], pa.string_view())),
}


@pytest.mark.parametrize("name", VIEWS)
def test_other_layouts_hold_the_same_values(tmp_path: Path, name: str) -> None:
    table = pa.table({"x": VIEWS[name]})
    write_stream(table, tmp_path / "a")
    write_feather(table, tmp_path / "b")
    for rows in (
        *read_rows(tmp_path / "a", CsvSettings()),
        *read_rows(tmp_path / "b", CsvSettings()),
        *frame_rows(table),
    ):
        assert rows.column("x").to_pylist() == table["x"].to_pylist()
        assert "view" not in str(rows.column("x").type)


@pytest.mark.parametrize("format_name", WRITERS)
def test_a_large_record_batch_comes_in_pieces(
    tmp_path: Path, format_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow_file, "BATCH_ROWS", 300)
    monkeypatch.setattr("rankelastor.data.raw.parquet_file.BATCH_ROWS", 300)
    WRITERS[format_name](pa.table({"x": range(1000), "y": ["a"] * 1000}), tmp_path / "log")
    pieces = list(read_rows(tmp_path / "log", CsvSettings(), ["x"]))
    assert max(piece.num_rows for piece in pieces) <= 300
    assert [piece.first_row for piece in pieces] == [1, 301, 601, 901]
    assert joined(pieces)["x"] == list(range(1000))
    positions = [piece.bytes_read for piece in pieces]
    assert positions == sorted(positions)
    assert positions[-1] == (tmp_path / "log").stat().st_size


@pytest.mark.parametrize("format_name", WRITERS)
def test_a_table_without_rows_is_empty_and_has_columns(tmp_path: Path, format_name: str) -> None:
    WRITERS[format_name](pa.table({"x": pa.array([], pa.int64())}), tmp_path / "log")
    assert is_empty(tmp_path / "log", CsvSettings())
    assert list(read_rows(tmp_path / "log", CsvSettings())) == []
    (piece,) = read_rows(tmp_path / "log", CsvSettings(), allow_empty=True)
    assert (piece.num_rows, piece.names) == (0, ("x",))


@pytest.mark.parametrize("format_name", WRITERS)
def test_a_missing_or_repeated_column_is_named(tmp_path: Path, format_name: str) -> None:
    WRITERS[format_name](pa.table({"user": [1]}), tmp_path / "log")
    with pytest.raises(DataError, match=r"log must have the column 'usr', but has only 'user'; did you mean 'user'"):
        next(read_rows(tmp_path / "log", CsvSettings(), ["usr"]))


@pytest.mark.parametrize("format_name", WRITERS)
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, format_name: str) -> None:
    WRITERS[format_name](pa.table({"user": [f"{number}" for number in range(999)]}), tmp_path / "log")
    content = (tmp_path / "log").read_bytes()
    (tmp_path / "log").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"log must be a readable (Parquet|Arrow IPC|ORC).* file, but"):
        list(read_rows(tmp_path / "log", CsvSettings()))


@pytest.mark.parametrize("format_name", ["feather", "stream"])
def test_a_damaged_arrow_file_is_a_message_and_not_the_end_of_the_process(tmp_path: Path, format_name: str) -> None:
    file, table = tmp_path / "log", pa.table({"site": ["a", "bc"] * 10, "seen": [["a"], ["b", "c"]] * 10})
    WRITERS[format_name](table, file)
    whole = file.read_bytes()
    for place in range(8, len(whole), 5):
        file.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        with suppress(DataError):
            for _ in read_rows(file, CsvSettings()):
                pass


def test_types_are_told_without_views(tmp_path: Path) -> None:
    write_feather(pa.table({"x": VIEWS["views of texts"], "y": [1, 2]}), tmp_path / "log")
    assert columnar_file.column_types(tmp_path / "log", ["x"]) == {"x": pa.large_string()}
