"""`rankelastor study` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.studies.small_study import made_line, small_study, write_yaml
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.cli.study_view import run_words

runner = CliRunner()


def test_a_study_is_run_and_goes_on(tmp_path: Path) -> None:
    study = write_yaml(tmp_path / "small.yaml", small_study(axes={}, seeds=[1], rank_examples=0))
    arguments = ["study", "run", str(study), "--to", str(tmp_path / "out")]
    first = runner.invoke(app, [*arguments, "--only", "mixer/*"])
    assert first.exit_code == 0, first.output
    assert "1/1  mixer/seed=1  test auc 0." in first.stderr
    assert "1 of 1 runs are finished" in first.stdout
    second = runner.invoke(app, [*arguments, "--json"])
    assert "2 runs, 1 of them done" in second.stderr
    assert json.loads(second.stdout)["finished"] == ["elastor/seed=1", "mixer/seed=1"]
    study.write_text(study.read_text().replace("token_dim: 4", "token_dim: 8", 1))
    changed = runner.invoke(app, arguments)
    assert changed.exit_code == 2
    assert "model.token_dim was 4 and is 8" in changed.stderr


def test_a_run_is_one_line() -> None:
    line = made_line("mixer", 1, 0.75, seconds=30.0)
    assert run_words(line, done=3, total=9, seconds_left=100.0) == (
        "3/9  mixer/seed=1  test auc 0.750000  logloss 0.250000  30.0 s, about 1:40 left"
    )
