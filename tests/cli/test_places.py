"""Verbs read and write where they are told to: pipes, folders, runs that moved."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from tests.conftest import CLICKS, tiny_values, write_clicks
from typer.testing import CliRunner, Result

from rankelastor.cli.main import app
from rankelastor.recipes.load import recipe_from_values
from rankelastor.spectrum.runs.measure_run import measure_run
from rankelastor.training.run import train

NEW = "site,device,price,user\na,phone,1.0,u1\nnew,tv,,u2\n"
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def rankelastor(*arguments: object, stdin: str | bytes | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(each) for each in arguments], input=stdin)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run that no test changes."""
    folder = tmp_path_factory.mktemp("shared")
    values = tiny_values(write_clicks(folder), prepared=folder / "prepared")
    return train(recipe_from_values(values), folder=folder / "run").folder


def test_a_dash_is_standard_input_and_output(run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text(NEW)
    assert rankelastor("predict", run, tmp_path / "new.csv", tmp_path / "out.csv").exit_code == 0
    expected = (tmp_path / "out.csv").read_bytes()
    piped = rankelastor("predict", run, "-", "-", stdin=NEW)
    assert (piped.exit_code, piped.stdout_bytes) == (0, expected)
    parquet = rankelastor("predict", run, "-", "-", "--format", "parquet", stdin=expected.replace(b"probability", b"p"))
    (tmp_path / "out.parquet").write_bytes(parquet.stdout_bytes)
    assert pl.read_parquet(tmp_path / "out.parquet")["probability"].len() == 2
    tabs = rankelastor("predict", run, "-", "-", "--format", "tsv", stdin=NEW.replace(",", "\t"))
    assert tabs.stdout_bytes == expected.replace(b",", b"\t")
    assert "new.csv: " not in piped.output


def test_messages_about_standard_input_name_it(run: Path) -> None:
    failed = rankelastor("predict", run, "-", "-", stdin="site,device,price\na,phone,dear\n")
    assert failed.exit_code == 2
    assert "error: standard input, column 'price', row 1 must hold numbers, but 'dear' was given" in failed.stderr
    nothing = rankelastor("predict", run, "-", "-", stdin="")
    assert "error: standard input must hold rows, but it is empty" in nothing.stderr


def test_a_reader_that_goes_away_ends_predict_quietly(run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text(NEW)
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", "rankelastor", "predict", str(run), str(tmp_path / "new.csv"), "-"]
    done = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, check=False, env=ENVIRONMENT, timeout=120)
    os.close(writes)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("ftp://host/a.parquet", "o.csv"),
            "the input must be a path, or an address of s3://, gs:// or hdfs://, but ftp:",
        ),
        (
            ("new.csv", "ftp://host/o.csv"),
            "the output must be a path, or an address of s3://, gs:// or hdfs://, but ftp://host",
        ),
        (("new.csv", "o.xlsx"), "the output must end in one of .csv, "),
        (("x.xlsx", "o.csv"), "but is an Excel workbook (.xlsx); save the sheet as CSV"),
        (("nowhere.csv", "o.csv"), "/nowhere.csv does not exist"),
        (("new.csv", "o.csv", "--format", "xlsx"), "the output format must be one of csv, tsv, parquet, feather, orc"),
    ],
)
def test_places_that_cannot_be_used_are_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("new.csv").write_text(NEW)
    shutil.make_archive("x", "zip", write_sheet(tmp_path / "sheet"))
    Path("x.zip").rename("x.xlsx")
    before = sorted(tmp_path.iterdir())
    failed = rankelastor("predict", run, *arguments)
    assert failed.exit_code == 2
    assert message in failed.stderr
    assert sorted(tmp_path.iterdir()) == before


def write_sheet(folder: Path) -> Path:
    (folder / "xl").mkdir(parents=True)
    (folder / "xl" / "workbook.xml").touch()
    return folder


@pytest.mark.parametrize("verb", ["evaluate", "spectrum", "describe"])
def test_an_address_of_a_run_is_refused_as_written(verb: str) -> None:
    failed = rankelastor(verb, "ftp://host/run")
    assert failed.exit_code == 2
    assert "ftp://host/run" in failed.stderr


def test_evaluate_reads_a_labelled_file_a_folder_and_standard_input(run: Path, tmp_path: Path) -> None:
    (tmp_path / "new" / "dt=1").mkdir(parents=True)
    (tmp_path / "new" / "dt=1" / "part.csv").write_text(CLICKS)
    expected = json.loads(rankelastor("evaluate", run, "--json").stdout)["test"]
    for on, stdin in ((tmp_path / "new", None), (tmp_path / "new" / "dt=1" / "part.csv", None), ("-", CLICKS)):
        shown = rankelastor("evaluate", run, "--on", on, "--json", stdin=stdin)
        assert shown.exit_code == 0, shown.stderr
        assert json.loads(shown.stdout)["on"] == expected
    assert "part.csv" in rankelastor("evaluate", run, "--on", tmp_path / "new" / "dt=1" / "part.csv").stdout
    failed = rankelastor("evaluate", run, "--on", "-", "--split", "valid", stdin=CLICKS)
    assert "--on evaluates a file instead of the prepared data, but --split was given too; remove one" in failed.stderr


def test_several_runs_are_evaluated_on_the_same_rows(run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text(CLICKS)
    for name in ("run-1", "run-2"):
        shutil.copytree(run, tmp_path / name)
    pattern = tmp_path / "run-*"
    shown = rankelastor("evaluate", pattern, "--on", tmp_path / "new.csv", "--json")
    assert shown.exit_code == 0, shown.stderr
    expected = json.loads(rankelastor("evaluate", run, "--on", tmp_path / "new.csv", "--json").stdout)
    assert json.loads(shown.stdout) == {str(tmp_path / name): expected for name in ("run-1", "run-2")}
    moved = rankelastor("evaluate", pattern, "--prepared", run.parent / "prepared", "--json")
    assert len(json.loads(moved.stdout)) == 2
    failed = rankelastor("evaluate", pattern, "--on", "-", stdin=CLICKS)
    assert "--on - reads standard input once, for one run, but 2 runs were given; name a file" in failed.stderr


def test_what_predict_reports_of_standard_input_names_it(run: Path, tmp_path: Path) -> None:
    new = NEW + "new,tv,1,u3\n" * 30
    shown = rankelastor("predict", run, "-", "-", "--report", tmp_path / "report.json", stdin=new)
    assert shown.exit_code == 0, shown.stderr
    said = json.loads((tmp_path / "report.json").read_text())
    assert said["num_rows"] == 32
    assert {alarm["about"][0] for alarm in said["alarms"]} == {"standard input"}


def test_a_run_that_moved_is_evaluated_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = tiny_values(write_clicks(tmp_path), prepared=Path("prep"))
    monkeypatch.chdir(tmp_path)
    train(recipe_from_values(values), folder="run")
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree("run", "elsewhere/run")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert rankelastor("evaluate", "run").exit_code == 0
    (tmp_path / "prep").rename(tmp_path / "moved")
    failed = rankelastor("evaluate", "run")
    assert f"{tmp_path}/elsewhere/prep must be the prepared folder that run was trained on" in failed.stderr
    assert "--prepared DIR" in failed.stderr
    shown = rankelastor("evaluate", "run", "--prepared", tmp_path / "moved")
    assert shown.exit_code == 0, shown.stderr
    measured = measure_run("run", prepared=tmp_path / "moved", num_examples=4)
    assert measured.num_examples == 4


def test_a_recipe_from_elsewhere_says_where_its_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, Any] = tiny_values(write_clicks(tmp_path), prepared=Path("prep"))
    values["data"]["files"] = {"train": "log/train.csv", "valid": "log/valid.csv"}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(values))
    (tmp_path / "o").mkdir()
    monkeypatch.chdir(tmp_path / "o")
    failed = rankelastor("prepare", "../r.yaml")
    assert failed.exit_code == 2
    said = " ".join(failed.stderr.split())
    assert f"{tmp_path}/o/log/train.csv does not exist, but {tmp_path}/log/train.csv does" in said
    assert f"Paths count from the current folder, {tmp_path}/o; files.folder sets another" in said


def test_embeddings_writes_a_file_per_field(run: Path, tmp_path: Path) -> None:
    shown = rankelastor("embeddings", run, "--to", tmp_path / "vectors")
    assert shown.exit_code == 0, shown.stderr
    assert f"{tmp_path / 'vectors'}: vectors of 2 fields" in shown.stdout
    assert pl.read_parquet(tmp_path / "vectors" / "device.parquet")["value"].to_list() == ["phone", "tablet"]
    again = rankelastor("embeddings", run, "--to", tmp_path / "vectors")
    assert (again.exit_code, "try --force" in again.stderr) == (2, True)
    assert rankelastor("embeddings", run, "--to", tmp_path / "vectors", "--field", "site", "--force").exit_code == 0
