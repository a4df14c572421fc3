"""A run is evaluated on labelled rows that were not prepared."""

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.conftest import tiny_values, write_clicks

from rankelastor.data.prepare import prepare
from rankelastor.errors import DataError, StalePreparedError
from rankelastor.evaluation.evaluate import evaluate, evaluate_with_unseen
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.load import load_run
from rankelastor.serving.predict import predict
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.training.run import TrainedRun, train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """A tiny run that no test changes."""
    folder = tmp_path_factory.mktemp("shared")
    values = tiny_values(write_clicks(folder), prepared=folder / "prepared")
    return train(recipe_from_values(values), folder=folder / "run")


@pytest.fixture
def run(trained: TrainedRun) -> Path:
    return trained.folder


def test_the_file_of_a_split_has_the_figures_of_the_split(run: Path, click_log: Path) -> None:
    file = click_log / "test.csv"
    expected = evaluate_with_unseen(run, split="test")
    frame = pl.read_csv(file)
    (click_log / "parts" / "a").mkdir(parents=True)
    frame[:4].write_csv(click_log / "parts" / "a" / "1.csv")
    frame[4:].write_csv(click_log / "parts" / "2.csv")
    (click_log / "parts" / "3.csv").write_text("")
    with file.open("rb") as stream:
        for on in (
            file,
            stream,
            io.BytesIO(file.read_bytes()),
            frame,
            frame.to_arrow(),
            frame.to_dict(as_series=False),
        ):
            found = evaluate_with_unseen(run, on=on)
            assert found.metrics.as_dict() == expected.metrics.as_dict()
            assert found.unseen == expected.unseen
    assert evaluate(load_run(run), on=click_log / "parts").as_dict()["auc"] == expected.metrics.as_dict()["auc"]


def test_rows_are_read_by_the_rules_of_the_files_that_were_prepared(tmp_path: Path) -> None:
    rows = [(f"{row % 2},0", f"{1 + row % 3},5", ("1", "1.0")[row // 2 % 2], f"s{row % 3}") for row in range(48)]
    rows[0] = (*rows[0][:2], "?", "s0")
    for split in ("train", "valid", "test"):
        lines = [";".join(row) for row in [("click", "share", "user", "site"), *rows]]
        (tmp_path / f"{split}.csv").write_text("\n".join(lines) + "\n")
    values = tiny_values(tmp_path, prepared=tmp_path / "prepared")
    values["data"] |= {
        "csv": {"delimiter": ";", "decimal": ",", "blanks": ["?"]},
        "weight": "share",
        "fields": [
            {"kind": "categorical", "column": "site"},
            {"kind": "group", "column": "user", "text": "as_written"},
        ],
    }
    values["model"] = {"kind": "mlp", "embedding_dim": 2, "hidden_dims": [2]}
    values["training"] = {"epochs": 1, "batch_size": 16}
    run = train(recipe_from_values(values), folder=tmp_path / "run")
    expected = evaluate(run.folder, split="test").as_dict()
    assert "gauc" in expected
    assert evaluate(run.folder, on=tmp_path / "test.csv").as_dict() == expected


def test_a_thinned_log_has_the_figures_of_the_split_and_corrected_probabilities(
    recipe: Recipe, click_log: Path, tmp_path: Path
) -> None:
    thinned = with_overrides(recipe, {"data.negatives_kept": 0.1, "training.positive_weight": 2.0})
    run = train(thinned, folder=tmp_path / "thinned").folder
    on = evaluate(run, on=click_log / "test.csv").as_dict()
    assert on == evaluate(run, split="test").as_dict()
    predict(run, click_log / "test.csv", tmp_path / "out.csv")
    corrected = pl.read_csv(tmp_path / "out.csv")["probability"].to_numpy()
    assert predict_proba(run, pl.read_csv(click_log / "test.csv")) == pytest.approx(corrected, abs=1e-6)
    label = pl.read_csv(click_log / "test.csv")["click"].to_numpy()
    weight = np.where(label > 0, 1.0, 1 / 0.1)
    assert on["calibration_ratio"] == pytest.approx((corrected * weight).sum() / (label * weight).sum(), abs=1e-5)


def test_new_rows_are_judged_as_a_split_is(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = {"click": [1, 0] * 20, "site": ["A", "B"] * 20, "device": ["phone"] * 40, "price": [1.0] * 40}
    found = evaluate_with_unseen(run, on=rows | {"user": ["u"] * 40})
    message = "all 40 values of site in the frame are unseen by training (one is written `A`"
    assert message in caplog.text
    assert any(alarm.message.startswith(message) for alarm in found.alarms)


def test_unseen_values_of_new_rows_are_counted(run: Path) -> None:
    new = {"click": [1, 0], "site": ["a", "new"], "device": ["phone", "phone"], "price": [1.0, 2.0], "user": ["u", "u"]}
    found = evaluate_with_unseen(run, on=new)
    assert found.unseen.share_by_field == {"site": 0.5, "device": 0.0}
    assert found.metrics.as_dict()["num_examples"] == 2


def test_rows_without_the_group_have_no_metrics_by_group(
    run: Path, click_log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = pl.read_csv(click_log / "test.csv")
    assert "gauc" in evaluate(run, on=frame).as_dict()
    assert "gauc" not in evaluate(run, on=frame.drop("user")).as_dict()
    assert "the frame has no column `user`, so there are no metrics by group" in caplog.text


def test_weights_count(recipe: Recipe, click_log: Path, tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        frame = pl.read_csv(click_log / f"{split}.csv").with_columns(w=pl.int_range(pl.len()) % 3)
        frame.write_csv(click_log / f"{split}.csv")
    run = train(with_overrides(recipe, {"data.weight": "w"}), folder=tmp_path / "run").folder
    assert evaluate(run, on=click_log / "test.csv").as_dict() == evaluate(run).as_dict()
    with pytest.raises(
        DataError, match=r"the frame must have the column 'w', .*; rows to evaluate need the labels and"
    ):
        evaluate(run, on=frame.drop("w"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"site": ["a"]}, "the frame must have the column 'click', but has only 'site'"),
        ({"click": [2], "site": ["a"], "device": ["b"], "price": [1.0]}, "row 1: the label must be 0 or 1, but '2'"),
        ({"click": [1], "site": ["a"], "price": [1.0]}, "the frame must have the column 'device'"),
        ({"click": [], "site": [], "device": [], "price": []}, "the frame must hold rows to be evaluated"),
        (
            "ftp://host/new.csv",
            "the input must be a path, or an address of s3://, gs:// or hdfs://, but ftp://host/new.csv",
        ),
        ("nowhere.csv", "the input must be a readable file or folder, but /.*nowhere.csv does not exist"),
        (io.StringIO("click"), "the stream must be a stream of bytes, but gives text"),
    ],
)
def test_rows_that_cannot_be_evaluated_are_refused(run: Path, rows: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        evaluate(run, on=rows)  # type: ignore[arg-type] # what a user may try


def test_a_run_that_moved_finds_its_prepared_folder(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train(with_overrides(recipe, {"data.prepared": "prep"}), folder="run")
    expected = evaluate("run").as_dict()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "run").rename(elsewhere / "run")
    monkeypatch.chdir(elsewhere)
    assert evaluate("run").as_dict() == expected
    (elsewhere / "prep").mkdir()  # a folder of that name that is another
    assert evaluate("run").as_dict() == expected
    (elsewhere / "prep").rmdir()
    (tmp_path / "prep").rename(tmp_path / "moved")
    with pytest.raises(DataError) as raised:
        evaluate("run")
    assert f"{elsewhere}/prep must be the prepared folder that run was trained on, but it does not exist" in str(
        raised.value
    )
    assert (
        f"nor does {tmp_path}/prep, where it was; run `rankelastor prepare RECIPE`, or name it with prepared=..."
        in str(raised.value)
    )
    assert evaluate("run", prepared=tmp_path / "moved").as_dict() == expected


def test_another_prepared_folder_is_refused(run: Path, recipe: Recipe, click_log: Path, tmp_path: Path) -> None:
    (click_log / "train.csv").write_text((click_log / "train.csv").read_text() + "1,z,phone,1.0,u1\n")
    prepare(with_overrides(recipe, {"data.prepared": str(tmp_path / "other")}).data)
    with pytest.raises(StalePreparedError, match=r"other must be what .*run was trained on"):
        evaluate(run, prepared=tmp_path / "other")
