from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rankelastor.data.fingerprint import StoppedError, file_states, record_sources, relevant_settings
from rankelastor.data.raw.source_files import SourceFile
from rankelastor.data.settings import DataSettings
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


FIELDS_OF_0_1_0: list[dict[str, Any]] = [
    {"column": "a", "name": None, "kind": "categorical", "min_count": 1, "blank": "value", "shares": None,
     "pretrained": None},
    {"column": "b", "name": None, "kind": "hashed", "num_buckets": 5, "blank": "value"},
    {"column": "c", "name": None, "kind": "sequence", "separator": None, "max_length": 3, "shares": None,
     "min_count": 1},
    {"column": "d", "name": None, "kind": "numeric", "transform": "as_is", "blank": 0.0},
    {"column": "e", "name": None, "kind": "quantile", "num_buckets": 3, "blank": "value"},
    {"column": "f", "name": None, "kind": "calendar", "parts": ["hour", "weekday", "weekend"], "format": "iso"},
    {"column": "g", "name": None, "kind": "group"},
]  # fmt: skip


def test_settings_that_were_added_later_leave_older_fingerprints_valid_while_they_are_unset(
    settings_for: Callable[..., DataSettings],
) -> None:
    assert relevant_settings(settings_for({"fields": FIELDS_OF_0_1_0}))["fields"] == FIELDS_OF_0_1_0


def test_settings_of_a_history_are_part_of_the_fingerprint(settings_for: Callable[..., DataSettings]) -> None:
    past = {"kind": "sequence", "column": "past", "max_length": 3}
    plain, last, matches = (
        relevant_settings(settings_for({"fields": [past | more]})) for more in ({}, {"last": 1}, {"matches": "item"})
    )
    assert plain["fields"] != last["fields"] != matches["fields"] != plain["fields"]
