"""What a file holds is told by its first bytes, whatever its name."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import orc

from rankelastor.data.raw.contents import contents_of
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.rows import column_names, read_rows
from rankelastor.errors import DataError

FRAME = pl.DataFrame({"user": ["a", "b", None], "price": [1.5, None, 2.0]})
TEXT = b"user,price\na,1.5\nb,\n,2.0\n"


def compressed(name: str) -> bytes:
    held = pa.BufferOutputStream()
    with pa.CompressedOutputStream(held, name) as stream:
        stream.write(TEXT)
    return bytes(held.getvalue())


def zipped(*members: tuple[str, bytes]) -> bytes:
    with io.BytesIO() as held:
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                archive.writestr(name, content)
        return held.getvalue()


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    with io.BytesIO() as held:
        write(held)
        return held.getvalue()


def orc_of(frame: pl.DataFrame) -> bytes:
    held = pa.BufferOutputStream()
    orc.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()), held)
    return bytes(held.getvalue())


COLUMNAR = {
    "parquet": written(FRAME.write_parquet),
    "arrow_file": written(FRAME.write_ipc),
    "arrow_stream": written(FRAME.write_ipc_stream),
    "orc": orc_of(FRAME),
}
COMPRESSED = {
    "gzip": gzip.compress(TEXT),
    "zstd": compressed("zstd"),
    "lz4": compressed("lz4"),
    "bz2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
    "zip": zipped(("log.csv", TEXT)),
}


@pytest.mark.parametrize("name", ["log", "log.csv", "log.txt", "log.csv.gz"])
@pytest.mark.parametrize("kind", COLUMNAR)
def test_typed_columns_are_read_whatever_the_name(tmp_path: Path, kind: str, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(COLUMNAR[kind])
    assert contents_of(file).kind == kind
    assert column_names(file, CsvSettings()) == ("user", "price")
    (rows,) = read_rows(file, CsvSettings())
    assert rows.table.to_pydict() == FRAME.to_dict(as_series=False)
    assert rows.bytes_read == file.stat().st_size


@pytest.mark.parametrize("name", ["log", "log.csv", "log.csv.gz", "log.csv.bz2"])
@pytest.mark.parametrize("compression", COMPRESSED)
def test_compressed_text_is_read_whatever_the_name(tmp_path: Path, compression: str, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(COMPRESSED[compression])
    assert contents_of(file).compression == compression
    (rows,) = read_rows(file, CsvSettings())
    assert rows.table.to_pydict() == {"user": ["a", "b", ""], "price": ["1.5", "", "2.0"]}
    assert rows.bytes_read == file.stat().st_size


@pytest.mark.parametrize("name", ["log.csv.gz", "log.csv.zst", "log.csv.zip"])
def test_text_that_is_named_as_compressed_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(TEXT)
    assert next(read_rows(tmp_path / name, CsvSettings())).num_rows == 3


def test_the_name_in_an_archive_tells_the_delimiter(tmp_path: Path) -> None:
    (tmp_path / "log.zip").write_bytes(zipped(("deep/log.tsv", TEXT.replace(b",", b"\t")), ("__MACOSX/x", b"?")))
    assert column_names(tmp_path / "log.zip", CsvSettings()) == ("user", "price")


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_several_streams_in_one_file_are_read(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    (tmp_path / "log.csv").write_bytes(compress(b"user\na\n") + compress(b"b\n"))
    (rows,) = read_rows(tmp_path / "log.csv", CsvSettings())
    assert rows.column("user").to_pylist() == ["a", "b"]


def database() -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table log (click)")
        content = connection.serialize()
    connection.close()
    return content


def tar() -> bytes:
    with io.BytesIO() as held:
        with tarfile.open(fileobj=held, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("log.csv"))
        return held.getvalue()


FOREIGN = {
    "an Excel workbook (.xlsx)": zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b"")),
    "an OpenDocument file": zipped(("mimetype", b""), ("content.xml", b"")),
    "an archive of NumPy arrays (.npz)": written(lambda held: np.savez(held, x=np.ones(3))),
    "a NumPy array (.npy)": written(lambda held: np.save(held, np.ones(3))),
    "an Avro file": b"Obj\x01\x04\x14avro.codec",
    "an SQLite database": database(),
    "a pickle": pickle.dumps({"click": [1, 0]}),
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + b"\0" * 8,
    "an old Office file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 8,
    "a tar archive": tar(),
    "a 7z archive": b"7z\xbc\xaf\x27\x1c\0\4",
    "a Snappy stream": b"\xff\x06\x00\x00sNaPpY",
    "a Feather file of version 1": b"FEA1\0\0\0\0",
    "an encrypted Parquet file": b"PARE\0\0\0\0",
    "JSON lines": b'{"click": 1, "user": "a"}\n{"click": 0, "user": "b"}\n',
    "JSON;": json.dumps([{"click": 1}], indent=2).encode(),
    "an HTML or XML page": b"<!DOCTYPE html>\n<html><body>Sign in",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
    "a PDF": b"%PDF-1.7\n",
    "a DuckDB database": b"\0" * 8 + b"DUCK" + b"\0" * 8,
}


@pytest.mark.parametrize("name", ["log.csv", "log.parquet", "log"])
@pytest.mark.parametrize("title", FOREIGN)
def test_what_is_not_read_is_named_for_what_it_is(tmp_path: Path, title: str, name: str) -> None:
    (tmp_path / name).write_bytes(FOREIGN[title])
    with pytest.raises(DataError) as raised:
        next(read_rows(tmp_path / name, CsvSettings()))
    assert f"{name} must be CSV text, Parquet, Arrow IPC (Feather) or ORC, but is {title}" in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(("a.csv", TEXT), ("b.csv", TEXT)), r"must hold one file, .* but holds 2: a.csv, b.csv; unpack it"),
        (zipped(), "must hold one file, .* but holds none"),
        (COMPRESSED["zip"][:60], "must be a whole zip archive, but it is damaged or cut off"),
        (zipped(("a.parquet", COLUMNAR["parquet"])), "must hold text in its zip stream, but holds Parquet data"),
        (gzip.compress(COLUMNAR["arrow_file"]), "must hold text in its gzip stream, but holds Arrow IPC"),
        (gzip.compress(gzip.compress(TEXT)), "must hold text in its gzip stream, but holds gzip data"),
        (gzip.compress(tar()), "but is a tar archive; unpack it first"),
        (lzma.compress(TEXT * 99)[:60], "its compressed stream is damaged or cut off"),
        (bz2.compress(TEXT * 99)[:60], "its compressed stream is damaged or cut off"),
        (COMPRESSED["xz"][:30] + b"?" + COMPRESSED["xz"][31:], "its compressed stream is damaged or cut off"),
        ("user,price\na,1\n".encode("utf-16"), "must be UTF-8 text, but it is UTF-16"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # archives hold the time at which they were made
)
def test_an_archive_that_cannot_be_read_is_refused_in_words(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(read_rows(tmp_path / "log.csv", CsvSettings()))


def test_an_archive_with_a_password_is_refused(tmp_path: Path) -> None:
    content = bytearray(COMPRESSED["zip"])
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flags of the member and of the directory
        content[content.index(mark) + place] |= 1
    (tmp_path / "log.zip").write_bytes(bytes(content))
    with pytest.raises(DataError, match="must be a zip archive without a password, but has one"):
        next(read_rows(tmp_path / "log.zip", CsvSettings()))


@pytest.mark.parametrize("name", ["a.csv", "ORC.csv"])
@pytest.mark.parametrize("header", ["ORC_id", "PAR1", "ARROW1x", "BZh9", "PK", "{x}", "[x]", "RDX_count", "Obj"])
def test_a_header_that_begins_like_another_format_is_text(tmp_path: Path, header: str, name: str) -> None:
    (tmp_path / name).write_text(f"{header},click\na,1\n")
    assert column_names(tmp_path / name, CsvSettings()) == (header, "click")


def test_a_name_that_promises_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.feather").write_bytes(TEXT)
    with pytest.raises(DataError, match=r"log.feather must be a readable Arrow IPC \(Feather\) file, but its first"):
        contents_of(tmp_path / "log.feather")
    with pytest.raises(DataError, match="must be a file, but it is a folder"):
        contents_of(tmp_path)
