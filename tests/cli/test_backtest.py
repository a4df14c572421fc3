"""The verbs of a log that grows, as a person calls them: prepare --extend, train --from, backtest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests.backtesting.drifting_recipe import drifting_recipe
from tests.training.further_days import recipe_of, write_days
from typer.testing import CliRunner, Result

from rankelastor.cli.main import app

runner = CliRunner()


def call(*arguments: object) -> Result:
    return runner.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def log_recipe(tmp_path: Path) -> Path:
    """A log of three days, and its recipe."""
    values = drifting_recipe(tmp_path, vocabulary=40, rows_per_day=300, churn=0.2)
    (tmp_path / "drift.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "drift.yaml"


def test_a_backtest_is_shown_as_a_table_csv_and_json(log_recipe: Path, tmp_path: Path) -> None:
    arguments = ["backtest", log_recipe, "--by", "day", "--to", tmp_path / "found"]
    shown = call(*arguments)
    assert shown.exit_code == 0, shown.output
    head, *_ = shown.stdout.splitlines()
    assert head.split()[:6] == ["trained", "to", "tested", "on", "test", "rows"]
    assert "2026-01-02, tested on 2026-01-03: cold auc 0." in shown.stderr
    assert "report.html" in shown.stdout
    as_json = json.loads(call(*arguments, "--json").stdout)
    assert [day["tested_on"] for day in as_json["days"]] == ["2026-01-02", "2026-01-03"]
    lines = call(*arguments, "--csv").stdout.splitlines()
    assert lines[0].startswith("trained_on,tested_on,start,num_train_rows,num_test_rows,auc,")
    assert len(lines) == 5


def test_mistakes_name_what_to_try(log_recipe: Path, tmp_path: Path) -> None:
    wrong = call("backtest", log_recipe, "--by", "f00", "--to", tmp_path / "found", "--day-format", "seconds")
    assert wrong.exit_code == 2
    assert "the format of the days must be one that is known" in " ".join(wrong.stderr.split())
    missing = call("backtest", log_recipe, "--by", "date", "--to", tmp_path / "found")
    assert missing.exit_code == 2
    assert "name the column of the days" in " ".join(missing.stderr.split())


def test_a_day_is_taken_in_and_a_run_goes_on(tmp_path: Path) -> None:
    write_days(tmp_path)
    for day in (0, 1):
        (tmp_path / f"{day}.yaml").write_text(yaml.safe_dump(recipe_of(tmp_path, day).model_dump(mode="json")))
    assert call("train", tmp_path / "0.yaml", "--run", tmp_path / "first").exit_code == 0
    early = call("train", tmp_path / "1.yaml", "--run", tmp_path / "no", "--from", tmp_path / "first", "--seeds", "2")
    assert early.exit_code == 2
    assert "--from is for a single run" in early.stderr
    prepared = call("prepare", tmp_path / "1.yaml", "--extend", tmp_path / "prepared-0")
    assert prepared.exit_code == 0, prepared.output
    trained = call("train", tmp_path / "1.yaml", "--run", tmp_path / "second", "--from", tmp_path / "first", "--json")
    assert trained.exit_code == 0, trained.output
    assert json.loads(trained.stdout)["folder"] == str(tmp_path / "second")
    again = call("prepare", tmp_path / "0.yaml", "--extend", tmp_path / "prepared-1", "--set", "data.prepared=again")
    assert again.exit_code == 2
    assert "a file must be taken in once" in " ".join(again.stderr.split())
