"""Tests of reading CSV; each kind of mistake in a file is reported with its row."""

import gzip
import random
import re
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankelastor.data.cells.numbers import parse_numbers
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.csv_stream import READ_AHEAD, CsvStream, parse_batches
from rankelastor.data.raw.rows import column_names, read_rows
from rankelastor.errors import DataError

HEADER = CsvSettings()
CUT_OFF = gzip.compress(b"label,site\n" + b"1,a\n" * 9, mtime=0)[:-9]
NAMED = CsvSettings(header=False, columns=("label", "site"))


def write(folder: Path, name: str, content: bytes | str) -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def read(file: Path, csv: CsvSettings = HEADER, *, read_bytes: int = 1 << 20) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for piece in read_rows(file, csv, read_bytes=read_bytes):
        rows.extend(zip(*(column.to_pylist() for column in piece.table.columns), strict=True))
    return rows


def test_quotes_delimiters_and_newlines_in_quoted_cells_survive(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", 'label,site\n1,"a,b"\n0,"say ""hi"""\n1,"two\nlines"\n')
    assert read(file) == [("1", "a,b"), ("0", 'say "hi"'), ("1", "two\nlines")]


def test_without_quoting_a_quote_is_plain_text(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.csv", 'label,site\n1,"x\n'), CsvSettings(quote=None)) == [("1", '"x')]


def test_a_tsv_is_split_at_tabs_and_another_delimiter_may_be_declared(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.tsv", "label\tsite\n1\ta\n")) == [("1", "a")]
    assert read(write(tmp_path, "a.txt", "label|site\n1|a\n"), CsvSettings(delimiter="|")) == [("1", "a")]


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_the_cells(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", b"\xef\xbb\xbflabel,site\r\n1,a\r\n")
    assert column_names(file, HEADER) == ("label", "site")
    assert read(file) == [("1", "a")]


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_compressed_files_are_read_as_they_come(tmp_path: Path, codec: str) -> None:
    file = tmp_path / {"gzip": "a.csv.gz", "zstd": "a.csv.zst"}[codec]
    with pa.output_stream(file, compression=codec) as sink:
        sink.write(b"label,site\n1,a\n")
    assert read(file) == [("1", "a")]


def test_gzip_files_put_one_after_the_other_are_one_file(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv.gz", gzip.compress(b"label,site\n1,a\n", mtime=0) + gzip.compress(b"0,b\n"))
    assert read(file) == [("1", "a"), ("0", "b")]


def test_rows_are_numbered_through_all_pieces(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "label,site\n" + "1,abcdefgh\n" * 1000)
    pieces = list(read_rows(file, HEADER, read_bytes=1000))
    assert len(pieces) > 5
    assert pieces[-1].first_row + pieces[-1].num_rows - 1 == 1000
    assert pieces[-1].bytes_read == file.stat().st_size


def test_only_the_columns_asked_for_are_read(tmp_path: Path) -> None:
    (piece,) = read_rows(write(tmp_path, "a.csv", "label,site,x\n1,a,2\n"), HEADER, ["x"])
    assert piece.names == ("x",)


def test_rows_to_predict_may_lack_the_label_where_no_header_names_columns(tmp_path: Path) -> None:
    (piece,) = read_rows(write(tmp_path, "a.csv", "a\nb\n"), NAMED, may_lack=("label",))
    assert piece.names == ("site",)


def test_a_file_that_seems_to_lack_the_label_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = write(tmp_path, "a.csv", "a\nb\n")
    list(read_rows(file, NAMED, may_lack=("label",)))
    assert caplog.messages == [f"{file} has 1 cells per row, but csv.columns names 2: it is assumed to lack `label`"]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.zst"])
def test_progress_is_that_of_the_rows_and_not_of_what_is_read_ahead(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    rng = random.Random(1)
    lines = "".join(f"{number % 2},{rng.randbytes(8).hex()}\n" for number in range(40_000))
    with pa.output_stream(file, compression="detect") as sink:
        sink.write(b"label,site\n" + lines.encode())
    positions = [piece.bytes_read for piece in read_rows(file, HEADER, read_bytes=10_000)]
    size = file.stat().st_size
    assert len(positions) > 20
    assert positions[0] < size / 2
    assert positions == sorted(positions)
    assert positions[-1] == size


def test_empty_lines_are_no_rows_and_move_no_position_back(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "label,site\n" + "\n" * 5000 + "1,a\n" + "\n" * 5000)
    assert [piece.bytes_read for piece in read_rows(file, HEADER, read_bytes=1000)] == [file.stat().st_size]


EMPTY_FILES = [
    ("label,site\n", HEADER),
    ("label,site", HEADER),
    ("\ufefflabel,site\r\n\r\n", HEADER),
    ("", NAMED),
    ("\n\n", NAMED),
]


@pytest.mark.parametrize(("content", "csv"), EMPTY_FILES)
def test_a_file_of_columns_and_no_rows_is_one_empty_piece_where_asked_for(
    tmp_path: Path, content: str, csv: CsvSettings
) -> None:
    file = write(tmp_path, "a.csv", content)
    (piece,) = read_rows(file, csv, distinct=["site"], allow_empty=True)
    assert (piece.num_rows, piece.names) == (0, ("label", "site"))
    assert piece.table.schema.types == [pa.string(), pa.dictionary(pa.int32(), pa.string())]
    assert piece.bytes_read == file.stat().st_size
    assert column_names(file, csv) == ("label", "site")


def test_a_file_of_rows_is_read_the_same_where_it_might_have_been_empty(tmp_path: Path) -> None:
    (piece,) = read_rows(write(tmp_path, "a.csv", "label,site\n1,a\n"), HEADER, allow_empty=True)
    assert piece.num_rows == 1


def test_a_file_of_nothing_is_refused_where_it_must_have_a_header_or_rows(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "")
    with pytest.raises(DataError, match=r"a.csv must hold rows, but it is empty"):
        next(read_rows(file, HEADER, allow_empty=True))
    with pytest.raises(DataError, match=r"a.csv must hold rows, but it is empty"):
        next(read_rows(file, NAMED))


def test_the_columns_of_an_empty_file_must_be_there_too(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "label,site\n")
    with pytest.raises(DataError, match=r"must have the column 'age'"):
        next(read_rows(file, HEADER, ["age"], allow_empty=True))


NUMBERS_AND_WORSE = [
    "1", "-2.5", "1e3", "+4", " 7", "8 ", "", "NA", "nan", "inf", "-0.0", ".5", "5.", "x", "1_0", "0x1", " ",
    "1e39", "9223372036854775807", "18446744073709551616", "1e400", "1e-400", "0.1", "3.4028235e38",
    "12345678.87654321",
]  # fmt: skip


BAD_FILES = [
    ("a.csv", "label,site\n1,a\n2\n", HEADER, r"a.csv, row 2 must have 2 cells, one per column, but has 1: '2'"),
    ("a.csv", "label,site\n1,a\n1,b,c\n", HEADER, r"row 2 must have 2 cells, one per column, but has 3: '1,b,c'"),
    ("a.csv", "1,a\n1\n", NAMED, r"a.csv, row 2 must have 2 cells, one per column, but has 1"),
    ("a.csv", b"label,site\n1,a\n1,\xff\n", HEADER, r"a.csv, column 'site', row 2 must be UTF-8 text"),
    ("a.csv", b"label,\xff\n1,a\n", HEADER, r"a.csv must be UTF-8 text, but its first line is not"),
    ("a.csv", b"label,site\n1,a\n1,b\0\n", HEADER, r"column 'site', row 2 must be UTF-8 text, but holds a NUL byte"),
    ("a.csv", "label,site\n1,a\n".encode("utf-16"), HEADER, r"a.csv must be UTF-8 text"),
    ("a.csv", 'label,site\n1,a\n1,"never ends\n0,b\n', HEADER, r"a.csv, column 'site', row 2: a quoted cell must end"),
    ("a.csv", 'label,site\n1,a\n1,"ends, or not', HEADER, r"column 'site', row 2: a quoted cell must end with \""),
    ("a.csv", 'label,site\n1,a\n1,"a ""b', HEADER, r"column 'site', row 2: a quoted cell must end with \""),
    ("a.csv", "", HEADER, r"a.csv must hold rows, but it is empty"),
    ("a.csv", "\n\n", HEADER, r"a.csv must hold rows, but it is empty"),
    ("a.csv", "label,label\n1,2\n", HEADER, r"a.csv must name each column once, but 'label' occurs twice"),
    ("a.csv", "label,site\n1,a\n", NAMED, r"a.csv must have no header \(csv.header is false\), but .* 'label', 'site'"),
    ("a.csv.gz", CUT_OFF, HEADER, r"a.csv.gz must .* damaged or cut off"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "csv", "message"), BAD_FILES)
def test_a_wrong_file_is_named_with_its_row(
    tmp_path: Path, name: str, content: bytes | str, csv: CsvSettings, message: str
) -> None:
    file = write(tmp_path, name, content)
    with pytest.raises(DataError, match=message):
        read(file, csv)


@pytest.mark.parametrize("end", ["", "\n", "\n0,x,b\n"])
def test_a_quote_that_never_ends_is_found_in_a_column_that_is_not_read(tmp_path: Path, end: str) -> None:
    file = write(tmp_path, "a.csv", f'label,x,site\n1,"q",a\n1,x,"never ends{end}')
    with pytest.raises(DataError, match=r"a.csv, column 'site', row 2: a quoted cell must end with"):
        list(read_rows(file, HEADER, ["label"]))


@pytest.mark.parametrize("last", ['0,12" disc\n', '0,12" disc', '0,"12"" disc"\n', '0,"two\nlines"\n0,a"b"c"d\n'])
def test_quotes_inside_cells_are_no_open_quotes(tmp_path: Path, last: str) -> None:
    file = write(tmp_path, "a.csv", "label,site\n1,a\n" + last)
    assert sum(piece.num_rows for piece in read_rows(file, HEADER, ["label"])) == 2 + last.count("\n0")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst"])
def test_a_compressed_file_that_was_cut_off_says_how_far_it_goes(tmp_path: Path, name: str) -> None:
    rng = random.Random(1)
    text = b"label,site\n" + b"".join(b"1,%s\n" % rng.randbytes(12).hex().encode() for _ in range(100_000))
    with pa.output_stream(tmp_path / name, compression="detect") as sink:
        sink.write(text)
    file = write(tmp_path, name, (tmp_path / name).read_bytes()[:1_000_000])
    with pytest.raises(
        DataError, match=rf"{name} must .* damaged or cut off after line [0-9,]+ of its text, [0-9,]+ bytes in"
    ) as caught:
        read(file)
    line = int("".join(re.findall(r"after line ([0-9,]+)", str(caught.value))).replace(",", ""))
    assert 60_000 < line < 100_000


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from(NUMBERS_AND_WORSE), min_size=1), min_size=1, max_size=8))
def test_columns_of_numbers_are_read_as_text_would_be(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[str]]
) -> None:
    """Check that the fast path, the full check and the switch between them in the middle of a file agree."""
    cells = [cell for run in runs for cell in run * 20]
    folder = tmp_path_factory.mktemp("numbers")
    file = write(folder, "a.csv", "label,x\n" + "".join(f"1,{cell}\n" for cell in cells))
    csv = CsvSettings(blanks=("NA",))

    def outcome(numbers: list[str]) -> list[float] | str:
        try:
            pieces = [
                parse_numbers(piece, "x", blanks=csv.blanks, blank=0.5)
                for piece in read_rows(file, csv, numbers=numbers, read_bytes=200)
            ]
        except DataError as error:
            return str(error)
        return [float(number) for number in np.concatenate(pieces)]

    assert outcome(["x"]) == outcome([])


def test_plain_numbers_are_read_as_numbers_until_one_is_odd(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "label,x\n" + "1,2.5\n" * 500 + "1,1e30\n" * 500)
    pieces = list(read_rows(file, HEADER, numbers=["x"], read_bytes=1000))
    assert [str(piece.column("x").type) for piece in pieces[:2]] == ["double", "double"]
    assert str(pieces[-1].column("x").type) == "string"
    assert sum(piece.num_rows for piece in pieces) == 1000
    assert [piece.first_row for piece in pieces[1:]] == [piece.first_row + piece.num_rows for piece in pieces[:-1]]


def test_no_more_than_a_few_blocks_are_read_ahead(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "label,site\n" + "1,abcdefgh\n" * 20_000)
    with CsvStream(file, read_ahead=READ_AHEAD) as stream:
        names = ("label", "site")
        types = {name: pa.string() for name in names}
        batches = parse_batches(stream, HEADER, names, column_types=types, read_bytes=1000)
        ahead = []
        for number, _ in enumerate(batches, start=1):
            time.sleep(0.001)
            ahead.append(len(stream.positions) - 1 - number)
    assert number > 200
    assert max(ahead) <= READ_AHEAD


def test_the_row_is_right_also_far_into_a_file_with_quoted_newlines(tmp_path: Path) -> None:
    lines = '1,"two\nlines"\n' * 5000
    file = write(tmp_path, "a.csv", "label,site\n" + lines + "1\n" + lines)
    with pytest.raises(DataError, match=r"row 5001 must have 2 cells"):
        read(file, HEADER, read_bytes=4000)


def test_a_row_longer_than_a_piece_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", 'label,site\n1,"' + "x\n" * 4000 + '"\n')
    with pytest.raises(DataError, match=r"a row must be shorter than"):
        read(file, HEADER, read_bytes=1000)


def test_a_missing_column_names_the_nearest_and_lists_all(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "label,site\n1,a\n")
    with pytest.raises(DataError, match=r"must have the column 'sites', .* 'label', 'site'; did you mean 'site'\?"):
        next(read_rows(file, HEADER, ["sites"]))


def test_a_file_without_the_declared_header_is_explained(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "1,a\n0,b\n")
    with pytest.raises(DataError, match=r"if the first line is not a header, set csv.header to false"):
        next(read_rows(file, HEADER, ["label", "site"]))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent.csv must be a readable file, but it does not exist"):
        next(read_rows(tmp_path / "absent.csv", HEADER))


def test_a_ragged_row_of_other_bytes_than_utf8_is_named_and_nothing_else_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"\xef\xbb\xbfclick,\xc3\xa4,user\n1,a,b\n0,\xff\xfe\xc3\xb6,b,c\n")
    with pytest.raises(
        DataError, match=r"a.csv, row 2 must have 3 cells, one per column, but has 4: '0,\ufffd\ufffdö,b,c'"
    ):
        list(read_rows(file, CsvSettings()))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("line", [b"a", b"a\n"], ids=["a line", "lines in quotes"])
def test_a_row_without_end_in_a_small_file_is_refused_before_memory_is_taken(line: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.csv.zst"
    file.write_bytes(pa.compress(b'"' + line * (64 << 20), codec="zstd", asbytes=True))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"a.csv.zst must "):
        list(read_rows(file, CsvSettings()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 << 20
