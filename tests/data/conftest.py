"""Fixtures of small raw files, written by hand, and of settings that read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.settings import DataSettings

TRAIN = "click,site,age,user\n1,b,1,u1\n0,a,2,u2\n1,b,3,u1\n0,,6,u3\n"
VALID = "click,site,age,user\n1,a,5,u1\n0,c,,u9\n"

Files = dict[str, str | bytes]


@pytest.fixture
def write_files(tmp_path: Path) -> Callable[[Files], Path]:
    """Write raw files into a folder ``raw`` and return it."""

    def write(files: Files) -> Path:
        folder = tmp_path / "raw"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return write


@pytest.fixture
def settings_for(tmp_path: Path) -> Callable[..., DataSettings]:
    """Make settings that read train.csv and valid.csv of ``raw``; ``changes`` replace whole settings by key."""

    def make(changes: dict[str, Any] | None = None) -> DataSettings:
        values: dict[str, Any] = {
            "prepared": str(tmp_path / "prepared"),
            "files": {"folder": str(tmp_path / "raw"), "train": "train.csv", "valid": "valid.csv"},
            "label": "click",
            "fields": [{"kind": "categorical", "column": "site"}, {"kind": "numeric", "column": "age"}],
        }
        return DataSettings.model_validate(values | (changes or {}))

    return make


@pytest.fixture
def small(write_files: Callable[[Files], Path], settings_for: Callable[..., DataSettings]) -> DataSettings:
    """Make the settings of a tiny click log on disk: four train rows, two valid rows."""
    write_files({"train.csv": TRAIN, "valid.csv": VALID})
    return settings_for()


@pytest.fixture
def small_prepared(small: DataSettings) -> PreparedDataset:
    """Prepare the tiny click log."""
    return prepare(small)
