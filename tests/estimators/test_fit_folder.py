"""Tests that a fit writes over nothing, and leaves no folder behind."""

import gc
from pathlib import Path
from typing import Any

import pytest
from tests.estimators.click_tables import click_log

from rankelastor.errors import SettingsError, StorageError
from rankelastor.estimators.click_ranker import ClickRanker
from rankelastor.estimators.fit_folder import FitFolder

FAST: dict[str, Any] = {
    "epochs": 1,
    "random_state": 3,
    "settings": {"training.baseline": False, "training.calibration.kind": "none"},
}


def test_a_folder_that_holds_something_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_text("mine")
    with pytest.raises(StorageError, match=r"must be a new or empty folder for each fit, but .* holds files; name an"):
        ClickRanker(folder=tmp_path, **FAST).fit(click_log(40), "click")
    with pytest.raises(StorageError, match=r"train.parquet is a file; name another"):
        FitFolder(tmp_path / "train.parquet").make()
    assert (tmp_path / "train.parquet").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert FitFolder(tmp_path / "empty").make() == (tmp_path / "empty").resolve()
    assert FitFolder(str(tmp_path / "new" / "one")).make().is_dir()


def test_a_temporary_folder_goes_with_the_next_fit_or_when_a_fit_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    log = click_log(40)
    ranker = ClickRanker(**FAST)
    for _ in range(2):
        ranker.fit(log, "click")
        gc.collect()
        assert len(list(tmp_path.glob("rankelastor-fit-*"))) == 1
    ranker.set_params(model="nothing")
    with pytest.raises(SettingsError):
        ranker.fit(log, "click")
    gc.collect()
    (place,) = tmp_path.glob("rankelastor-fit-*")
    assert ranker.run_.folder.is_relative_to(place)
    del ranker
    gc.collect()
    assert not list(tmp_path.glob("rankelastor-fit-*"))
