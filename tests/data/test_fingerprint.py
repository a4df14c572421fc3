from pathlib import Path

import pytest

from rankelastor.data.fingerprint import StoppedError, file_states, record_sources
from rankelastor.data.raw.source_files import SourceFile
from rankelastor.errors import DataError


def source(path: Path) -> SourceFile:
    return SourceFile("train", path, path.name)


def test_the_digest_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"abc")
    (record,) = record_sources([source(tmp_path / "a.csv")])
    assert record.digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_states([source(tmp_path / "a.csv")]) == ((record.num_bytes, record.modified_ns),)


def test_hashing_stops_when_its_result_is_not_needed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(bytes(10_000_000))
    asked = iter([False, False, True])
    with pytest.raises(StoppedError):
        record_sources([source(tmp_path / "a.csv")], stopped=lambda: next(asked))


@pytest.mark.parametrize("look", [record_sources, file_states])
def test_a_file_that_is_gone_is_named(tmp_path: Path, look: object) -> None:
    with pytest.raises(DataError, match=r"a.csv must be a readable file, but No such file"):
        look([source(tmp_path / "a.csv")])  # type: ignore[operator]
