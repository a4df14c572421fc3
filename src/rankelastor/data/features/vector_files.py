"""Find files of pretrained vectors, and read their keys and vectors in pieces."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.cells.texts import cell_texts, spell_all
from rankelastor.data.features.vector_settings import PretrainedSettings
from rankelastor.data.raw.column_names import quote_names, require_columns
from rankelastor.data.raw.rows import RawRows
from rankelastor.data.raw.source_files import SourceFile
from rankelastor.errors import DataError, RankElastorError
from rankelastor.extras import how_to_install
from rankelastor.remote.remote_path import AnyPath, RemotePath, joined, mapped, place_of

Piece = tuple[pl.Series, NDArray[np.float32]]
"""Some keys as text, and their vectors, float32 (key, dim)."""

_PIECE_ROWS = 65_536


_MAGIC = b"\x93NUMPY"


def find_vector_files(folder: str | AnyPath, vectors: Iterable[PretrainedSettings]) -> tuple[SourceFile, ...]:
    """Find every file of pretrained vectors or of their keys, each once.

    Args:
        folder: the folder that relative paths start from.
        vectors: settings of the vectors.

    Raises:
        DataError: a file does not exist.
    """
    found: dict[str, SourceFile] = {}
    for place, name in (named for settings in vectors for named in _list_paths(settings)):
        path = vector_place(folder, name, place)
        if not path.is_file():
            raise DataError(
                f"pretrained.{place} must name a file, but {path} is not one; relative paths start from files.folder"
            )
        found[name] = SourceFile(None, path, f"vectors:{name}")
    return tuple(found.values())


def read_vectors(
    folder: str | AnyPath, settings: PretrainedSettings, *, text: TextRule = "canonical"
) -> Iterator[Piece]:
    """Read the keys and vectors of a file in pieces.

    Args:
        folder: the folder that relative paths start from.
        settings: the file, and the names of its keys and vectors.
        text: the rule by which keys that are texts are spelled.

    Raises:
        DataError: the file cannot be read, lacks a column or array, or does not hold one vector of numbers per key;
            or it is HDF5 and h5py is not installed.
    """
    path = vector_place(folder, settings.file, "file")
    with _explain_errors(path):
        match settings.format:
            case "parquet":
                yield from _read_parquet(path, settings, text)
            case "npy":
                assert settings.keys is not None, "settings require it for .npy"
                yield from _pieces(
                    _read_keys(vector_place(folder, settings.keys, "keys"), text), _map_array(path), path
                )
            case "npz":
                with path.open("rb") as file, zipfile.ZipFile(file):  # raises for what is no zip
                    file.seek(0)
                    arrays = np.load(file)
                    key, vector = _array_names(list(arrays), path, settings)
                    yield from _pieces(_texts(arrays[key], path, text), arrays[vector], path)
            case "h5":
                with _h5py(path).File(path, "r") as arrays:
                    key, vector = _array_names(list(arrays), path, settings)
                    yield from _pieces(_texts(arrays[key][:], path, text), arrays[vector], path)


def vector_place(folder: str | AnyPath, name: str, setting: str) -> AnyPath:
    """Return the place of a file that ``setting`` of pretrained vectors names; relative paths start from ``folder``."""
    start = place_of(folder, what="files.folder", error=DataError)
    return joined(start, name, what=f"pretrained.{setting}", error=DataError)


def _list_paths(settings: PretrainedSettings) -> Iterator[tuple[str, str]]:
    yield "file", settings.file
    if settings.keys is not None:
        yield "keys", settings.keys


def _read_parquet(path: AnyPath, settings: PretrainedSettings, text: TextRule) -> Iterator[Piece]:
    assert settings.key is not None, "settings require it for Parquet"
    assert settings.vector is not None, "settings require it for Parquet"
    columns = [settings.vector] if isinstance(settings.vector, str) else list(settings.vector)
    first_row = 1
    with pq.ParquetFile(mapped(path)) as parquet:
        wanted = list(dict.fromkeys([settings.key, *columns]))
        advice = "check pretrained.key and pretrained.vector"
        require_columns(parquet.schema_arrow.names, wanted, path, advice=advice)
        for batch in parquet.iter_batches(batch_size=_PIECE_ROWS, columns=wanted):
            rows = RawRows(batch, path, first_row)
            keys = cell_texts(rows, settings.key, (), text)
            first_row += batch.num_rows
            numbers = [_parquet_numbers(batch.column(name), path, name) for name in columns]
            texts = keys.values.gather(keys.codes)
            yield texts, numbers[0] if len(numbers) == 1 else np.concatenate(numbers, axis=1)


def _parquet_numbers(cells: pa.Array, path: AnyPath, column: str) -> NDArray[np.float32]:
    """Read a column of numbers as (row, 1), or a column of lists as (row, dim)."""
    if not pa.types.is_nested(cells.type):
        return _float32(cells)[:, None]
    widths = pc.unique(pc.list_value_length(cells)).to_pylist()
    if len(widths) != 1 or widths[0] is None:
        raise DataError(
            f"{path}, column {column!r} must hold vectors of one width, but holds lists of the lengths "
            f"{quote_names(widths, at_most=5)}; leave out rows without a vector"
        )
    return _float32(pc.list_flatten(cells)).reshape(len(cells), widths[0])


def _float32(cells: pa.Array) -> NDArray[np.float32]:
    numbers: NDArray[np.float32] = pc.cast(cells, pa.float32(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


def _read_keys(path: AnyPath, text: TextRule) -> pl.Series:
    """Read one key per line of a text file, or the array of an ``.npy`` file."""
    with _explain_errors(path):
        if path.suffix.lower() == ".npy":
            return _texts(_map_array(path), path, text)
        # Not str.splitlines: it also splits at U+2028, form feeds and others, which may occur in a key.
        content = path.read_bytes().decode("utf-8-sig").removesuffix("\n")
        lines = [line.removesuffix("\r") for line in content.split("\n")] if content else []
        return spell_all(pa.array(lines, pa.string()), (), text)


def _map_array(path: AnyPath) -> NDArray[Any]:
    """Map an ``.npy`` file into memory, or read it from an address; its header must fit the size of the file."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("it does not begin as an .npy file does")
    array: NDArray[Any] = (
        np.load(io.BytesIO(path.read_bytes())) if isinstance(path, RemotePath) else np.load(path, mmap_mode="r")
    )
    return array


def _pieces(keys: pl.Series, vectors: Any, path: AnyPath) -> Iterator[Piece]:
    """Cut an array in memory or on disk into pieces."""
    if len(vectors.shape) != 2 or vectors.shape[0] != len(keys):  # noqa: PLR2004 - a matrix
        raise DataError(
            f"{path} must hold a matrix with one vector per key, but its shape is {list(vectors.shape)} and there are "
            f"{len(keys)} keys"
        )
    for start in range(0, len(keys), _PIECE_ROWS):
        rows = slice(start, start + _PIECE_ROWS)
        yield keys[rows], np.asarray(vectors[rows], dtype=np.float32)


def _texts(keys: NDArray[Any], path: AnyPath, text: TextRule) -> pl.Series:
    """Convert keys to the texts that a raw file would hold."""
    if keys.ndim != 1 or keys.dtype.kind not in "iufUSO":
        raise DataError(
            f"{path} must hold its keys as a list of texts or numbers, but they have the shape {list(keys.shape)} and "
            f"the type {keys.dtype}"
        )
    if keys.dtype.kind in "SO":  # h5py reads texts as bytes
        keys = np.array([key.decode() if isinstance(key, bytes) else str(key) for key in keys], dtype=object)
    cells = pa.array(keys.tolist() if keys.dtype.kind in "SUO" else keys)
    rows = RawRows(pa.RecordBatch.from_arrays([cells], names=["key"]), path)
    texts = cell_texts(rows, "key", (), text)
    return texts.values.gather(texts.codes)


def _array_names(names: list[str], path: AnyPath, settings: PretrainedSettings) -> tuple[str, str]:
    assert not isinstance(settings.vector, tuple), "settings allow one array"
    key, vector = settings.key or "key", settings.vector or "value"
    require_columns(names, [key, vector], path, advice="check pretrained.key and pretrained.vector")
    return key, vector


def _h5py(path: AnyPath) -> Any:
    if isinstance(path, RemotePath):
        raise DataError(
            f"HDF5 files of vectors must lie on a disk, but {path} was given; copy it, or write it as Parquet"
        )
    try:
        import h5py  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DataError(f"h5py must be installed to read {path}, but is not; try {how_to_install('hub')}") from error
    return h5py


@contextmanager
def _explain_errors(path: AnyPath) -> Iterator[None]:
    try:
        yield
    except RankElastorError:
        raise
    except Exception as error:  # NumPy, zipfile and h5py raise almost anything for a damaged file
        raise DataError(f"{path} must be a readable file of vectors, but {error or type(error).__name__}") from error
