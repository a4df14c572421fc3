"""Probabilities of frames in memory."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.conftest import tiny_values, write_clicks

import rankelastor
from rankelastor.errors import DataError
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.serving.predict import predict
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.serving.serving_run import load_run
from rankelastor.training.run import TrainedRun, train

NEW = pl.DataFrame(
    {"site": ["a", "new", None], "device": ["phone", "watch", "tablet"], "price": [1.0, None, 2.0], "note": [1, 2, 3]}
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """A tiny run that no test changes."""
    folder = tmp_path_factory.mktemp("shared")
    values = tiny_values(write_clicks(folder), prepared=folder / "prepared")
    return train(recipe_from_values(values), folder=folder / "run")


def test_every_kind_of_frame_is_scored_as_the_file_is(trained: TrainedRun, tmp_path: Path) -> None:
    NEW.write_parquet(tmp_path / "new.parquet")
    predict(trained.folder, tmp_path / "new.parquet", tmp_path / "out.parquet")
    expected = pl.read_parquet(tmp_path / "out.parquet")["probability"].to_list()
    for frame in (NEW, NEW.to_arrow(), NEW.to_arrow().to_reader(), NEW.to_dict(as_series=False)):
        assert predict_proba(trained.folder, frame).tolist() == expected
    loaded = load_run(trained.folder)
    assert rankelastor.load_run is load_run
    assert loaded.predict_proba(NEW).tolist() == expected
    assert trained.predict_proba(NEW).tolist() == expected
    assert predict_proba(loaded, NEW[1:2]).tolist() == pytest.approx(expected[1:2], abs=1e-6)


def test_no_rows_have_no_probabilities(trained: TrainedRun) -> None:
    scores = trained.predict_proba(NEW.clear())
    assert scores.shape == (0,)
    assert scores.dtype == np.float64


def test_several_tasks_have_a_column_each(recipe: Recipe, tmp_path: Path) -> None:
    labels = {"click": "click", "tablet": {"column": "device", "positive": "tablet"}}
    fields = [{"kind": "categorical", "column": "site"}, {"kind": "numeric", "column": "price"}]
    changed = with_overrides(
        recipe,
        {"data.label": None, "data.labels": labels, "data.fields": fields, "model.num_tokens": 2},
    )
    assert train(changed, folder=tmp_path / "two").predict_proba(NEW).shape == (3, 2)


def test_a_wrong_frame_is_refused_in_words(trained: TrainedRun) -> None:
    with pytest.raises(DataError, match="the frame must have the column 'price'"):
        trained.predict_proba(NEW.drop("price"))
    with pytest.raises(DataError, match="the frame, column 'price', row 2 must hold numbers, but 'dear' was given"):
        trained.predict_proba(NEW.with_columns(price=pl.Series(["1", "dear", ""])))
    with pytest.raises(DataError, match="but str was given"):
        trained.predict_proba("new.csv")  # type: ignore[arg-type] # what a user may try
