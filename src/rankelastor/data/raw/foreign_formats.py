"""Name the formats that are not read, by their first bytes, so that a message says what a file is."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass

from rankelastor.remote.remote_path import AnyPath

_EXPORT = "export it as Parquet or CSV"
_UNPACK = "unpack it first"


@dataclass(frozen=True)
class ForeignFormat:
    """A format that is not read: what a file of it is called, and what to do with it."""

    title: str
    advice: str = _EXPORT


_BY_MAGIC: tuple[tuple[int, bytes, ForeignFormat], ...] = (
    (0, b"Obj\x01", ForeignFormat("an Avro file")),
    (0, b"SQLite format 3\0", ForeignFormat("an SQLite database", "export the table as CSV or Parquet")),
    (0, b"\x89HDF\r\n\x1a\n", ForeignFormat("an HDF5 file")),
    (0, b"\x93NUMPY", ForeignFormat("a NumPy array (.npy)", "columns need names: write it as Parquet or CSV")),
    (0, b"FEA1", ForeignFormat("a Feather file of version 1", "write it again as Feather 2, Parquet or CSV")),
    (0, b"PARE", ForeignFormat("an encrypted Parquet file", "decrypt it: write it again without encryption")),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ForeignFormat("an old Office file, as .xls is", "save the sheet as CSV")),
    (0, b"7z\xbc\xaf\x27\x1c", ForeignFormat("a 7z archive", _UNPACK)),
    (0, b"Rar!\x1a\x07", ForeignFormat("a RAR archive", _UNPACK)),
    (0, b"\xff\x06\x00\x00sNaPpY", ForeignFormat("a Snappy stream", "decompress it, or compress it with gzip or zstd")),
    (0, b"\x1f\x9d", ForeignFormat("a file of the old `compress` (.Z)", "decompress it, or compress it with gzip")),
    (0, b"\x5d\x00\x00", ForeignFormat("an lzma file of the old kind", "decompress it, or compress it with xz")),
    (0, b"%PDF-", ForeignFormat("a PDF")),
    (8, b"DUCK", ForeignFormat("a DuckDB database", "export the table as Parquet or CSV")),
    (257, b"ustar", ForeignFormat("a tar archive", _UNPACK)),
    (0, b"$FL2", ForeignFormat("an SPSS file")),
    (0, b"<stata_dta>", ForeignFormat("a Stata file")),
    (0, b"RDX2\n", ForeignFormat("an R data file")),
    (0, b"RDX3\n", ForeignFormat("an R data file")),
    (
        0,
        b"version https://git-lfs.github.com/spec/",
        ForeignFormat("a pointer of Git LFS and not the data", "run `git lfs pull`"),
    ),
)
_JSON = ForeignFormat("JSON", "write it as Parquet or CSV")
_JSON_LINES = ForeignFormat(
    "JSON lines", "write them as Parquet or CSV, as polars.read_ndjson(...).write_parquet(...) does"
)
_PICKLE_PROTOCOLS = range(2, 6)
_MARKUP = (b"<!doctype html", b"<html", b"<?xml")
_IN_ZIP: tuple[tuple[str, ForeignFormat], ...] = (
    ("xl/workbook.xml", ForeignFormat("an Excel workbook (.xlsx)", "save the sheet as CSV")),
    ("xl/workbook.bin", ForeignFormat("an Excel workbook (.xlsb)", "save the sheet as CSV")),
    ("word/document.xml", ForeignFormat("a Word document")),
    ("content.xml", ForeignFormat("an OpenDocument file, as .ods is", "save the sheet as CSV")),
    ("data.pkl", ForeignFormat("a pickle of PyTorch", "a pickle may run any code and is never read; write a table")),
)


def foreign_format(file: AnyPath, head: bytes) -> ForeignFormat | None:
    r"""Recognise a format that is not read.

    Args:
        file: the file; of a zip archive its list of members is read too.
        head: the first bytes, of a compressed file those of the decompressed stream.

    Example:
        >>> from pathlib import Path
        >>> foreign_format(Path("a.csv"), b"Obj\x01...").title
        'an Avro file'
        >>> foreign_format(Path("a.csv"), b"click,user\n1,a\n") is None
        True
    """
    for start, magic, found in _BY_MAGIC:
        if head.startswith(magic, start):
            return found
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _in_zip(file)
    if head[:1] == b"\x80" and head[1:2] and head[1] in _PICKLE_PROTOCOLS:
        return ForeignFormat("a pickle", "a pickle may run any code and is never read; write a Parquet or CSV file")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:20].lower().startswith(_MARKUP):
        return ForeignFormat("an HTML or XML page", "download or export the data themselves")
    return _json(text)


def _in_zip(file: AnyPath) -> ForeignFormat | None:
    try:
        with file.open("rb") as stored, zipfile.ZipFile(stored) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return None  # the reader of archives says what is wrong
    for name, found in _IN_ZIP:
        if any(each == name or each.endswith(f"/{name}") for each in names):
            return found
    if names and all(name.endswith(".npy") for name in names):
        return ForeignFormat("an archive of NumPy arrays (.npz)", "write one table as Parquet or CSV")
    return None


def _json(text: bytes) -> ForeignFormat | None:
    """Recognise JSON: an object, or a list of objects."""
    if text.startswith(b"[") and text[1:].lstrip().startswith(b"{"):
        return _JSON
    if not text.startswith(b"{") or not text[1:].lstrip().startswith(b'"'):
        return None
    try:
        return _JSON_LINES if isinstance(json.loads(text.split(b"\n", 1)[0]), dict) else None
    except ValueError:  # an object of several lines, or a line that is longer than the first bytes
        return _JSON if re.match(rb'\{\s*"[^"]*"\s*:', text) else None
