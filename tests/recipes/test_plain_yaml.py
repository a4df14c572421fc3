"""Tests that YAML of other tools is read as plain values and written in readable form."""

from pathlib import Path

import pytest

from rankelastor.errors import SettingsError
from rankelastor.recipes.plain_yaml import plain_yaml_text, read_plain_yaml


def test_anchors_and_merge_keys_are_followed(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  b: 3\n")
    assert read_plain_yaml(tmp_path / "a.yaml")["other"] == {"a": 1, "b": 3}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    values = {"name": "ä", "fields": [{"column": ["a", "b"], "separator": "^"}], "rate": 1e-5, "none": None}
    (tmp_path / "a.yaml").write_text(plain_yaml_text(values), encoding="utf-8")
    assert read_plain_yaml(tmp_path / "a.yaml") == values


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1", "must be YAML, but"),
        (b"- a", "must hold settings as `key: value`, but holds list"),
        (b"a: \xff", "must be a readable UTF-8 text"),
        (b"a: !!python/object/apply:os.getcwd []", "must be YAML, but could not determine a constructor"),
    ],
    ids=["broken", "list", "not utf-8", "code"],
)
def test_other_contents_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(SettingsError, match=message):
        read_plain_yaml(tmp_path / "a.yaml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere.yaml must be a readable UTF-8 text, but .*No such file"):
        read_plain_yaml(tmp_path / "nowhere.yaml")
