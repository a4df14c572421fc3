"""A planted log on disk is prepared like any other, and says the best that can be reached on it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from rankelastor.data.planted.settings import PlantedSettings
from rankelastor.data.planted.write import PlantedLog, planted_data, write_planted_log
from rankelastor.data.prepare import prepare

SMALL = PlantedSettings(num_fields=4, vocabulary=(3, 9, 9, 9), num_interactions=2, train_rows=70_000, test_rows=500)


def test_what_is_written_is_read_and_prepared(tmp_path: Path) -> None:
    written = write_planted_log(tmp_path / "log", SMALL)
    assert PlantedLog.open(tmp_path / "log") == written
    assert pl.read_parquet(tmp_path / "log" / "train.parquet").columns == ["click", "f00", "f01", "f02", "f03"]
    dataset = prepare(planted_data(tmp_path / "log", tmp_path / "prepared"))
    assert [dataset.split(split).num_rows for split in ("train", "valid", "test")] == [70_000, 20_000, 500]
    assert dataset.schema.names == ("f00", "f01", "f02", "f03")


def test_more_rows_leave_the_test_rows_and_the_best_as_they_were(tmp_path: Path) -> None:
    longer = write_planted_log(tmp_path / "long", SMALL)
    shorter = write_planted_log(tmp_path / "short", SMALL.model_copy(update={"train_rows": 10}))
    assert longer.best["test"] == shorter.best["test"]
    assert 0.5 < longer.best["train"].auc < 1
    frames = [pl.read_parquet(tmp_path / name / "test.parquet") for name in ("long", "short")]
    assert frames[0].equals(frames[1])


def test_a_missing_log_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PlantedLog.open(tmp_path)
