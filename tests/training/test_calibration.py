"""Thinned negatives and weighted positives: probabilities stay those of the world."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from rankelastor.errors import SettingsError
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.load import load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.serving.predict import predict
from rankelastor.training.run import train

RATES = {"a": 0.02, "b": 0.3}


def log(folder: Path, *, kept: float = 1.0, num_rows: int = 4000) -> pl.DataFrame:
    """Rows of two sites with known click rates, of whose negatives a share is kept."""
    draws = np.random.default_rng(5)
    site = draws.choice(list(RATES), num_rows)
    click = (draws.random(num_rows) < np.array([RATES[each] for each in site])).astype(int)
    frame = pl.DataFrame({"click": click, "site": site, "kept": draws.random(num_rows) < kept})
    frame = frame.filter((pl.col("click") == 1) | pl.col("kept")).drop("kept")
    frame.write_csv(folder / "log.csv")
    return frame


def recipe(folder: Path, *, data: dict[str, Any] | None = None, **training: Any) -> Recipe:
    values: dict[str, Any] = {
        "name": "x",
        "data": {
            "prepared": str(folder / "prep"),
            "files": {"all": str(folder / "log.csv")},
            "split": {"kind": "random", "valid": 0.3, "seed": 1},
            "label": "click",
            "fields": [{"kind": "categorical", "column": "site"}],
            **(data or {}),
        },
        "model": {"kind": "mlp", "embedding_dim": 4, "hidden_dims": [8]},
        "training": {
            "batch_size": 128,
            "epochs": 8,
            "learning_rate": 0.02,
            "monitor": "logloss",
            "patience": 8,
            "rate_drop": 1.0,
            "output_bias": "base_rate",
            "device": "cpu",
            **training,
        },
    }
    return recipe_from_values(values)


def predicted(run: Path, folder: Path) -> dict[str, float]:
    pl.DataFrame({"site": list(RATES)}).write_csv(folder / "new.csv")
    predict(run, folder / "new.csv", folder / "out.csv")
    return dict(pl.read_csv(folder / "out.csv").iter_rows())


@pytest.mark.parametrize(
    ("kept", "settings"),
    [
        (1.0, {"training": {"negatives_kept": 0.2}}),
        (1.0, {"training": {"positive_weight": 6.0}}),
        (0.2, {"data": {"negatives_kept": 0.2}}),
        (0.5, {"data": {"negatives_kept": 0.5}, "training": {"negatives_kept": 0.5, "positive_weight": 2.0}}),
    ],
    ids=["thinned while training", "weighted", "thinned before", "all of it"],
)
def test_probabilities_are_those_of_the_world(kept: float, settings: dict[str, Any], tmp_path: Path) -> None:
    log(tmp_path, kept=kept)
    made = recipe(tmp_path, data=settings.get("data"), **settings.get("training", {}))
    run = train(made, folder=tmp_path / "run")
    scores = predicted(run.folder, tmp_path)
    assert scores["a"] == pytest.approx(RATES["a"], rel=0.5)
    assert scores["b"] == pytest.approx(RATES["b"], rel=0.25)
    figures = run.result.calibration["valid"]
    assert figures.logit_shift == pytest.approx(made.odds.logit_shift, abs=1e-6)
    assert figures.before["calibration_ratio"] > 1.6
    assert figures.after["calibration_ratio"] == pytest.approx(1, abs=0.25)
    assert figures.after["calibration_ratio"] == run.result.valid["calibration_ratio"]
    assert evaluate(run.folder, split="valid").as_dict() == run.result.valid
    assert RunFolder.open(run.folder).result() == run.result
    assert load_run(run.folder).recipe.odds == made.odds


def test_a_correction_of_scores_needs_no_other_prepared_folder(tmp_path: Path) -> None:
    log(tmp_path)
    first = train(recipe(tmp_path, epochs=1), folder=tmp_path / "first")
    second = train(recipe(tmp_path, data={"negatives_kept": 0.5}, epochs=1), folder=tmp_path / "second")
    assert first.result.calibration == {}
    assert second.result.valid["auc"] == pytest.approx(first.result.valid["auc"], abs=1e-9)
    assert second.result.valid["calibration_ratio"] != first.result.valid["calibration_ratio"]


@pytest.mark.parametrize("group", ["data", "training"])
def test_thinned_negatives_of_several_labels_are_refused(group: str, tmp_path: Path) -> None:
    labels = {"label": None, "labels": {"click": "click", "like": {"column": "site", "positive": "a"}}}
    thinned: dict[str, Any] = {"negatives_kept": 0.5}
    data, training = (labels | thinned, {}) if group == "data" else (labels, thinned)
    with pytest.raises(SettingsError, match=r"negatives_kept needs a single label, but (data\.)?labels has 2"):
        recipe(tmp_path, data=data, **training)


@pytest.mark.parametrize("value", [0, 1.5, -0.1])
def test_a_share_must_lie_above_0_and_not_above_1(value: float, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"training\.negatives_kept must be (greater|less)"):
        recipe(tmp_path, negatives_kept=value)
