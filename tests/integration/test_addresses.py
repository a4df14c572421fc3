"""A recipe, a run and predictions whose data lie in a bucket, by the command line."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from tests.conftest import CLICKS
from tests.local_s3 import SECRETS
from typer.testing import CliRunner, Result

from rankelastor.cli.main import app
from rankelastor.remote.remote_path import RemotePath


def rankelastor(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(each) for each in arguments])


@pytest.fixture
def recipe_file(recipe_values: dict[str, Any], bucket: RemotePath, tmp_path: Path) -> Path:
    """A recipe whose raw files lie in a bucket, by days."""
    for day in (1, 2):
        (bucket / f"log/dt={day}/part-0.csv").write_bytes(CLICKS.encode())
    recipe_values["data"]["files"] = {
        "folder": str(bucket / "log"),
        "train": "dt=1/part-*.csv",
        "valid": "dt=2/part-0.csv",
        "test": f"{bucket}/log/dt=[3-9]/*.csv",
    }
    (bucket / "log/dt=3/part-0.csv").write_bytes(CLICKS.encode())
    recipe_values["data"]["fields"][0]["column"] = ["site", "dt"]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe_values))
    return tmp_path / "recipe.yaml"


@pytest.mark.slow
def test_every_verb_takes_data_at_addresses(recipe_file: Path, bucket: RemotePath, tmp_path: Path) -> None:
    prepared = bucket / "prepared"
    done = rankelastor("prepare", recipe_file, "--to", prepared, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["num_rows"] == {"train": 10, "valid": 10, "test": 10}
    described = rankelastor("describe", prepared)
    assert described.exit_code == 0, described.output
    assert str(prepared) in described.output

    run = tmp_path / "run"
    trained = rankelastor("train", recipe_file, "--to", run, "--set", f"data.prepared={prepared}", "--quiet")
    assert trained.exit_code == 0, trained.output
    evaluated = rankelastor("evaluate", run, "--json")
    assert evaluated.exit_code == 0, evaluated.output
    assert json.loads(evaluated.stdout)["test"]["auc"] == json.loads((run / "result.json").read_text())["test"]["auc"]
    named = rankelastor("evaluate", run, "--prepared", prepared, "--json")
    assert json.loads(named.stdout) == json.loads(evaluated.stdout)

    scored = bucket / "scored.parquet"
    predicted = rankelastor("predict", run, bucket / "log/dt=1/part-0.csv", scored)
    assert predicted.exit_code == 0, predicted.output
    assert f"{scored}: 10 rows with probabilities" in predicted.output
    assert pl.read_parquet(scored.read_bytes())["probability"].is_between(0, 1).all()
    again = rankelastor("predict", run, bucket / "log/dt=1/part-0.csv", scored)
    assert f"error: the output must be a new file, but {scored} exists; try --force to replace it" in again.stderr
    by_day = rankelastor("predict", run, bucket / "log", bucket / "scored")
    assert by_day.exit_code == 0, by_day.output
    days = [f"dt={day}/part-0.csv" for day in (1, 2, 3)]
    assert sorted((bucket / "scored").sizes_below()) == sorted(["_SUCCESS", *days])
    assert "probability" in (bucket / "scored" / days[0]).read_text()

    files = [file for file in run.rglob("*") if file.is_file()]
    assert not any(secret.encode() in file.read_bytes() for secret in SECRETS.values() for file in files)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://KEY:HUSH@bucket/a", "prepared must be an address without user, password and query, which would be"),
        ("s3://bucket/a?secret_key=HUSH", "s3://bucket/a was given with some; take them out, and give credentials"),
        (
            "ftp://host/a",
            "data.prepared must be a path, or an address of s3://, gs:// or hdfs://, but ftp://host/a was",
        ),
        ("s3:///a", "data.prepared must name a bucket, as s3://BUCKET/PATH does, but s3:///a was given"),
        ("s3://no-such-bucket-here/a", "must lie in a bucket that exists, but there is no bucket no-such-bucket-here"),
    ],
)
def test_a_wrong_address_is_one_message_without_secrets(
    address: str, message: str, recipe_values: dict[str, Any], s3_environment: str, tmp_path: Path
) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe_values))
    failed = rankelastor("prepare", tmp_path / "recipe.yaml", "--to", address)
    assert failed.exit_code == 2, failed.output
    assert message in failed.stderr.replace("\n", " ")
    assert "HUSH" not in failed.output


def test_predictions_do_not_go_to_or_come_from_nowhere(s3_environment: str, tmp_path: Path) -> None:
    missing = "s3://no-such-bucket-here/a.csv"
    for given, output in ((missing, tmp_path / "out.csv"), (tmp_path / "in.csv", missing)):
        failed = rankelastor("predict", tmp_path / "no-run", given, output)
        assert failed.exit_code == 2
        assert "HUSH" not in failed.output
    assert "there is no bucket no-such-bucket-here" in failed.stderr
