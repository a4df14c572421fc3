import hashlib
import time
from pathlib import Path

import pytest

from rankelastor import checksums
from rankelastor.checksums import (
    BLOCK_BYTES,
    Checksum,
    checksum_of_bytes,
    checksum_of_file,
    checksums_below,
    find_damage,
)


def test_the_checksum_of_a_small_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert checksum_of_file(tmp_path / "a") == Checksum(3, hashlib.sha256(b"abc").hexdigest())
    (tmp_path / "empty").touch()
    assert checksum_of_file(tmp_path / "empty") == Checksum(0, hashlib.sha256(b"").hexdigest())


def test_the_checksum_of_a_large_file_is_that_of_the_digests_of_its_blocks(tmp_path: Path) -> None:
    data = bytes(BLOCK_BYTES) + b"tail"
    blocks = hashlib.sha256(bytes(BLOCK_BYTES)).digest() + hashlib.sha256(b"tail").digest()
    assert checksum_of_bytes(data) == hashlib.sha256(blocks).hexdigest()
    (tmp_path / "a").write_bytes(data)
    assert checksum_of_file(tmp_path / "a") == Checksum(len(data), checksum_of_bytes(data))


def test_names_are_relative_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").touch()
    (tmp_path / "a").touch()
    assert list(checksums_below(tmp_path, [tmp_path / "b" / "c", tmp_path / "a"])) == ["a", "b/c"]


def test_damage_is_told_in_words(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    whole = checksum_of_file(file)
    assert find_damage(file, whole) is None
    file.write_bytes(b"abx")
    assert find_damage(file, whole) == "its contents are not what was written (the checksum differs)"
    file.write_bytes(b"ab")
    assert find_damage(file, whole) == "it has 2 bytes and not 3"
    file.unlink()
    assert find_damage(file, whole) == "there is no such file"


def test_a_file_that_has_not_changed_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    whole = checksum_of_file(file)
    assert find_damage(file, whole, again=False) is None
    monkeypatch.setattr(checksums, "checksum_of_file", lambda _: Checksum(3, "other"))
    assert find_damage(file, whole, again=False) is None
    assert find_damage(file, whole, again=True) is not None


@pytest.mark.slow
def test_a_hundred_megabytes_take_a_tenth_of_a_second_of_a_processor_with_sha_instructions(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(100_000_000))
    checksum_of_file(tmp_path / "a")
    seconds = []
    for _ in range(5):
        began = time.process_time()
        checksum_of_file(tmp_path / "a")
        seconds.append(time.process_time() - began)
    assert min(seconds) < 0.1
