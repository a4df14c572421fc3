"""What ``train`` says of logs that are too small, too dull or not what they seem."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from rankelastor.evaluation.evaluate import evaluate_with_unseen
from rankelastor.recipes.load import recipe_from_values
from rankelastor.training.run import TrainedRun, train

MODEL = {"kind": "mlp", "embedding_dim": 2, "hidden_dims": [4]}


def rows(num_rows: int, *, seed: int, rate: float = 0.5, users: str = "u", num_users: int = 3000) -> pl.DataFrame:
    """Clicks that follow the site, of users whose names begin with ``users``."""
    draws = np.random.default_rng(seed)
    site = draws.integers(0, 2, num_rows)
    click = (draws.random(num_rows) < rate * (0.5 + site)).astype(int)
    user = [f"{users}{number}" for number in draws.integers(0, num_users, num_rows)]
    return pl.DataFrame({"click": click, "site": site, "user": user, "price": draws.normal(size=num_rows)})


def trained(folder: Path, frames: dict[str, pl.DataFrame], **training: Any) -> TrainedRun:
    for name, frame in frames.items():
        frame.write_csv(folder / f"{name}.csv")
    values: dict[str, Any] = {
        "name": "x",
        "data": {
            "prepared": str(folder / "prep"),
            "files": {"folder": str(folder), **{name: f"{name}.csv" for name in frames}},
            "label": "click",
            "fields": [
                {"kind": "categorical", "column": ["site", "user"]},
                {"kind": "numeric", "column": "price", "transform": "as_is"},
            ],
        },
        "model": MODEL,
        "training": {"batch_size": 128, "epochs": 1, "device": "cpu", **training},
        "spectrum": {"every_steps": None},
    }
    return train(recipe_from_values(values), folder=folder / "run")


def rules(run: TrainedRun) -> dict[str, tuple[str, ...]]:
    return {alarm.rule: alarm.about for alarm in run.result.alarms}


def test_a_ranker_that_has_hardly_trained_is_no_better_than_logistic_regression(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = trained(tmp_path, {"train": rows(800, seed=1), "valid": rows(400, seed=2)}, learning_rate=1e-6)
    assert "no_better_than_linear" in rules(run)
    assert "logistic regression on a sample of train is" in caplog.text
    compared = run.result.baseline
    assert compared is not None
    assert (compared.num_train_rows, compared.num_valid_rows) == (800, 400)
    assert compared.ranker["auc"] == run.result.valid["auc"]
    assert compared.metrics["auc"] > 0.6


def test_baseline_false_trains_none(tmp_path: Path) -> None:
    frames = {"train": rows(800, seed=1), "valid": rows(400, seed=2)}
    run = trained(tmp_path, frames, learning_rate=1e-6, baseline=False)
    assert run.result.baseline is None
    assert "no_better_than_linear" not in rules(run)


def test_weights_that_overfit_are_worse_than_the_mean(tmp_path: Path) -> None:
    train_rows = rows(200, seed=1).with_columns(site=pl.lit(0))
    run = trained(
        tmp_path,
        {"train": train_rows, "valid": rows(400, seed=2).with_columns(site=pl.lit(0))},
        learning_rate=0.3,
        epochs=4,
    )
    assert "worse_than_mean" in rules(run)


def test_a_valid_split_that_repeats_train_is_said_before_the_first_step(tmp_path: Path) -> None:
    train_rows = rows(800, seed=1)
    valid = pl.concat([train_rows.head(100), rows(300, seed=2)])
    run = trained(tmp_path, {"train": train_rows, "valid": valid})
    assert run.result.alarms[0].rule == "repeated_rows"
    assert run.result.alarms[0].message.startswith("25.0 % of the rows of valid repeat a row of train, label included")


def test_rare_clicks_are_said_unless_the_output_bias_starts_at_their_rate(tmp_path: Path) -> None:
    frames = {"train": rows(8000, seed=1, rate=0.01), "valid": rows(4000, seed=2, rate=0.01)}
    (tmp_path / "zero").mkdir()
    (tmp_path / "rate").mkdir()
    assert "rare_label" in rules(trained(tmp_path / "zero", frames))
    assert "rare_label" not in rules(trained(tmp_path / "rate", frames, output_bias="base_rate"))


def test_a_field_of_test_that_is_all_new_is_loud_in_training_and_in_evaluation(tmp_path: Path) -> None:
    frames = {name: rows(400, seed=seed, num_users=20) for seed, name in enumerate(("train", "valid"))}
    frames["test"] = rows(50, seed=3, users="new")
    run = trained(tmp_path, frames)
    (alarm,) = (alarm for alarm in run.result.alarms if alarm.rule == "unseen_field")
    assert (alarm.about, alarm.loud) == (("test", "user"), True)
    assert "all 50 values of user in test are unseen by training (one of training `u" in alarm.message
    (again,) = (alarm for alarm in evaluate_with_unseen(run.folder).alarms if alarm.rule == "unseen_field")
    assert again == alarm


def test_the_split_that_stopped_training_is_compared_with_nothing(tmp_path: Path) -> None:
    run = trained(tmp_path, {"train": rows(800, seed=1), "valid": rows(400, seed=2)})
    assert "unseen_field" not in {alarm.rule for alarm in evaluate_with_unseen(run.folder, split="valid").alarms}
