"""Compressed files are read as streams in bounded memory."""

import gzip
import lzma
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from rankelastor.data.raw.compression import CompressedFile, Compression
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.csv_stream import READ_BYTES
from rankelastor.data.raw.rows import column_names
from rankelastor.errors import DataError

BOMB_BYTES = 64 << 20


def bomb(file: Path, compression: Compression) -> Path:
    """Write a small file that decompresses to 64 MiB without a line end."""
    if compression == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("log.csv", b"a" * BOMB_BYTES)
    elif compression == "xz":
        file.write_bytes(lzma.compress(b"a" * BOMB_BYTES, preset=0))
    else:
        file.write_bytes(gzip.compress(b"a" * BOMB_BYTES, compresslevel=1))
    return file


@pytest.mark.parametrize("compression", ["zip", "xz", "gzip"])
def test_a_small_file_that_decompresses_to_a_huge_line_is_refused_in_little_memory(
    tmp_path: Path, compression: Compression
) -> None:
    file = bomb(tmp_path / "log.csv", compression)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="it is longer than 8 MiB"):
            column_names(file, CsvSettings())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * READ_BYTES


@pytest.mark.parametrize("size", [1, 7, 4096, None])
@pytest.mark.parametrize("compression", ["zip", "xz", "gzip"])
def test_reads_of_any_size_give_the_text(tmp_path: Path, compression: Compression, size: int | None) -> None:
    text = bytes(range(1, 250)) * (20 if size == 1 else 400)
    file = tmp_path / "text"
    if compression == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
            archive.writestr("text", text)
    else:
        file.write_bytes((lzma.compress if compression == "xz" else gzip.compress)(text))
    with CompressedFile(file, compression) as stream:
        assert b"".join(iter(lambda: stream.read(size), b"")) == text
        assert stream.position == file.stat().st_size
