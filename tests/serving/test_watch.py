"""What ``predict`` says of rows that are not like those of training."""

import io
import json
import logging
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rankelastor.errors import StorageError
from rankelastor.recipes.load import recipe_from_values
from rankelastor.serving.predict import predict
from rankelastor.training.run import train

NUM_ROWS = 1000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a log of two users, one of whom clicks nine times as often; users are written ``id-0`` and ``id-1``."""
    folder = tmp_path_factory.mktemp("watch")
    rows = [(int(i * 7919 % 100 < (90 if i % 2 else 10)), f"id-{i % 2}", f"s{i % 7}") for i in range(NUM_ROWS)]
    pl.DataFrame(rows, schema=["click", "user", "site"], orient="row").write_csv(folder / "log.csv")
    values: dict[str, Any] = {
        "name": "x",
        "data": {
            "prepared": str(folder / "prep"),
            "files": {"all": str(folder / "log.csv")},
            "split": {"kind": "random", "valid": 0.2, "test": 0.2, "seed": 1},
            "label": "click",
            "fields": [{"kind": "categorical", "column": ["user", "site"]}],
        },
        "model": {"kind": "mlp", "embedding_dim": 4, "hidden_dims": [4]},
        "training": {"batch_size": 64, "epochs": 3, "learning_rate": 0.03, "device": "cpu"},
    }
    return train(recipe_from_values(values), folder=folder / "run").folder


def report(run: Path, folder: Path, rows: dict[str, list[str]]) -> dict[str, Any]:
    pl.DataFrame(rows).write_csv(folder / "new.csv")
    predict(run, folder / "new.csv", folder / "out.csv", report=folder / "report.json")
    values: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return values


def test_a_field_written_otherwise_is_said_loudly_with_one_value_of_either_side(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = report(run, tmp_path, {"user": ["ID-0", "ID-1"], "site": ["s1", "s2"]})
    (record,) = (record for record in caplog.records if record.name == "rankelastor.alarms")
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith(
        "all 2 values of user in new.csv are unseen by training (one is written `ID-0`, one of training `id-"
    )
    assert said["unseen"] == {"user": {"share": 1.0, "valid": 0.0}, "site": {"share": 0.0, "valid": 0.0}}
    assert [alarm["rule"] for alarm in said["alarms"]] == ["unseen_field"]


def test_rows_like_those_of_training_raise_no_alarm(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = report(run, tmp_path, {"user": ["id-0", "id-1"] * 100, "site": ["s1", "s2"] * 100})
    assert said["alarms"] == []
    assert not [record for record in caplog.records if record.name == "rankelastor.alarms"]


def test_far_more_unseen_values_than_in_valid_are_a_warning(run: Path, tmp_path: Path) -> None:
    said = report(run, tmp_path, {"user": ["id-0", "id-1", "id-2"] * 50, "site": ["s1"] * 150})
    (alarm,) = said["alarms"]
    assert (alarm["about"], alarm["loud"]) == (["new.csv", "user"], False)
    assert alarm["message"].startswith("33.3 % of the values of user in new.csv are unseen by training, in valid 0.0 %")


def test_the_report_holds_rows_mean_and_quantiles_beside_those_of_valid(run: Path, tmp_path: Path) -> None:
    said = report(run, tmp_path, {"user": ["id-0", "id-1"] * 10, "site": ["s1"] * 20})
    scores = pl.read_csv(tmp_path / "out.csv")["probability"]
    new, valid = said["predictions"]["click"], said["valid"]["click"]
    assert said["num_rows"] == new["num_rows"] == 20
    assert new["mean"] == pytest.approx(scores.mean(), rel=1e-5)
    assert new["quantiles"].keys() == valid["quantiles"].keys()
    assert valid["num_rows"] == NUM_ROWS // 5


def test_rows_that_are_predicted_far_higher_than_valid_are_said(run: Path, tmp_path: Path) -> None:
    said = report(run, tmp_path, {"user": ["id-1"] * 100, "site": ["s1"] * 100})
    assert "nothing_learned" in {alarm["rule"] for alarm in said["alarms"]}  # all rows are equal


def test_an_empty_file_has_a_report_without_figures(run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("user,site\n")
    predict(run, tmp_path / "new.csv", tmp_path / "out.csv", report=tmp_path / "report.json")
    said = json.loads((tmp_path / "report.json").read_text())
    assert (said["num_rows"], said["predictions"], said["alarms"]) == (0, {}, [])


OTHERS = pl.DataFrame({"user": ["ID-0", "ID-1"], "site": ["s1", "s2"]})


def test_folders_streams_and_frames_are_watched_as_files_are(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = report(run, tmp_path, OTHERS.to_dict(as_series=False))
    (tmp_path / "parts").mkdir()
    OTHERS[:1].write_csv(tmp_path / "parts" / "0.csv")
    OTHERS[1:].write_csv(tmp_path / "parts" / "1.csv")
    text = io.BytesIO(OTHERS.write_csv().encode())
    given: dict[str, Any] = {"parts": tmp_path / "parts", "the stream": text, "the frame": OTHERS}
    for name, rows in given.items():
        caplog.clear()
        predict(run, rows, tmp_path / f"{name} scored", report=tmp_path / "report.json")
        said = json.loads((tmp_path / "report.json").read_text())
        assert f"all 2 values of user in {name} are unseen by training (one is written `ID-0`" in caplog.text
        assert [alarm.pop("about") for alarm in said["alarms"]] == [[name, "user"]]
        assert (said["num_rows"], said["unseen"]) == (2, expected["unseen"])
        assert said["predictions"] == expected["predictions"]


def test_a_report_goes_to_a_path(run: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"the report must be a path, but s3:.* was given"):
        predict(run, OTHERS, tmp_path / "out.csv", report="s3://bucket/report.json")
    assert not list(tmp_path.iterdir())
