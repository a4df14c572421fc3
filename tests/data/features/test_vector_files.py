import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankelastor.data.features.vector_files import read_vectors
from rankelastor.data.features.vector_settings import PretrainedSettings
from rankelastor.errors import DataError

KEYS = ["7", "a", "ü"]
VECTORS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.5]], dtype=np.float32)


def lists(folder: Path) -> dict[str, Any]:
    pq.write_table(pa.table({"item": KEYS, "vector": VECTORS.tolist()}), folder / "v.parquet")
    return {"file": "v.parquet", "key": "item", "vector": "vector"}


def columns(folder: Path) -> dict[str, Any]:
    table = {"item": KEYS, "x": VECTORS[:, 0], "y": VECTORS[:, 1]}
    pq.write_table(pa.table(table), folder / "v.parquet")
    return {"file": "v.parquet", "key": "item", "vector": ["x", "y"]}


def matrix_and_lines(folder: Path) -> dict[str, Any]:
    np.save(folder / "v.npy", VECTORS)
    (folder / "keys.txt").write_text("\n".join(KEYS) + "\n", encoding="utf-8")
    return {"file": "v.npy", "keys": "keys.txt"}


def matrix_and_array(folder: Path) -> dict[str, Any]:
    np.save(folder / "v.npy", VECTORS.astype(np.float64))
    np.save(folder / "keys.npy", np.array(KEYS))
    return {"file": "v.npy", "keys": "keys.npy"}


def arrays(folder: Path) -> dict[str, Any]:
    np.savez(folder / "v.npz", key=np.array(KEYS), value=VECTORS)
    return {"file": "v.npz"}


def hdf5(folder: Path) -> dict[str, Any]:
    h5py = pytest.importorskip("h5py", reason="h5py is in the extra `hub`")
    with h5py.File(folder / "v.h5", "w") as file:
        file["key"] = KEYS
        file["value"] = VECTORS
    return {"file": "v.h5"}


@pytest.mark.parametrize("write", [lists, columns, matrix_and_lines, matrix_and_array, arrays, hdf5])
def test_every_format_gives_the_same_keys_and_vectors(tmp_path: Path, write: Callable[[Path], dict[str, Any]]) -> None:
    ((keys, vectors),) = read_vectors(tmp_path, PretrainedSettings.model_validate(write(tmp_path)))
    assert keys.to_list() == KEYS
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, VECTORS)


def test_integer_keys_are_the_texts_of_a_raw_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", key=np.array([7, 8, 9]), value=VECTORS)
    ((keys, _),) = read_vectors(tmp_path, PretrainedSettings(file="v.npz"))
    assert keys.to_list() == ["7", "8", "9"]


def test_lines_of_keys_end_at_line_breaks_alone(tmp_path: Path) -> None:
    """Check that U+2028, form feed and NEL may occur in a key, and that a byte order mark is not part of the first."""
    np.save(tmp_path / "v.npy", VECTORS)
    (tmp_path / "keys.txt").write_bytes("a\u2028b\r\n\x0cc\r\nd\x85\r\n".encode("utf-8-sig"))
    ((keys, _),) = read_vectors(tmp_path, PretrainedSettings(file="v.npy", keys="keys.txt"))
    assert keys.to_list() == ["a\u2028b", "\x0cc", "d\x85"]


def test_without_h5py_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "v.h5").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match=r"h5py must be installed to read .*v.h5.*try pip install .*\[hub\]"):
        list(read_vectors(tmp_path, PretrainedSettings(file="v.h5")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"key": np.array(KEYS), "value": VECTORS[:2]},
            r"one vector per key, but its shape is \[2, 2\] and there are 3",
        ),
        ({"key": np.array(KEYS), "value": VECTORS[:, 0]}, r"one vector per key, but its shape is \[3\]"),
        ({"key": np.array([1j, 2j, 3j]), "value": VECTORS}, r"keys as a list of texts or numbers, but they have"),
        ({"key": np.array([1.0, 2.0, 2.0**53]), "value": VECTORS}, r"row 3 must hold whole numbers below 2\^53"),
        ({"ids": np.array(KEYS), "value": VECTORS}, r"v.npz must have the column 'key', but has only 'ids', 'value'"),
    ],
    ids=["rows", "flat", "complex-keys", "rounded-keys", "no-key"],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "v.npz", **content)
    with pytest.raises(DataError, match=message):
        list(read_vectors(tmp_path, PretrainedSettings(file="v.npz")))


def test_lists_of_several_widths_and_broken_files_are_refused(tmp_path: Path) -> None:
    settings = PretrainedSettings(file="v.parquet", key="item", vector="vector")
    pq.write_table(pa.table({"item": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]}), tmp_path / "v.parquet")
    with pytest.raises(DataError, match=r"column 'vector' must hold vectors of one width, but .* lengths 1, 2"):
        list(read_vectors(tmp_path, settings))
    with pytest.raises(DataError, match=r"v.parquet must have the column 'embedding', but has only 'item', 'vector'"):
        list(read_vectors(tmp_path, PretrainedSettings(file="v.parquet", key="item", vector="embedding")))
    (tmp_path / "v.parquet").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"v.parquet must be a readable file of vectors, but"):
        list(read_vectors(tmp_path, settings))


@pytest.mark.parametrize(
    "keys", [np.array([8, 9, 10]), np.array([8.0, 9.0, 10.0]), np.array(["8.0", "9", "10.00"])], ids=str
)
def test_keys_are_spelled_as_values_are(tmp_path: Path, keys: Any) -> None:
    np.savez(tmp_path / "v.npz", key=keys, value=VECTORS)
    ((found, _),) = read_vectors(tmp_path, PretrainedSettings(file="v.npz"))
    assert found.to_list() == ["8", "9", "10"]
    table = pa.table({"item": keys, "vector": VECTORS.tolist()})
    pq.write_table(table, tmp_path / "v.parquet")
    ((found, _),) = read_vectors(tmp_path, PretrainedSettings(file="v.parquet", key="item", vector="vector"))
    assert found.to_list() == ["8", "9", "10"]
    if keys.dtype.kind == "U":
        ((found, _),) = read_vectors(tmp_path, PretrainedSettings(file="v.npz"), text="as_written")
        assert found.to_list() == ["8.0", "9", "10.00"]
