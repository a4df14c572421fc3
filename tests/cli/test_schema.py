import json
from pathlib import Path

from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.cli.settings_page import settings_page


def test_explain_prints_one_setting() -> None:
    shown = CliRunner().invoke(app, ["schema", "--explain", "training.patience"])
    assert shown.exit_code == 0
    assert shown.output.startswith("training.stopping.patience, or in short training.patience\n")


def test_explain_suggests_what_was_meant() -> None:
    failed = CliRunner().invoke(app, ["schema", "--explain", "training.patiance"])
    assert failed.exit_code == 2
    assert "error: unknown setting training.patiance; did you mean training.patience?" in failed.stderr


def test_explain_stands_alone(tmp_path: Path) -> None:
    failed = CliRunner().invoke(app, ["schema", str(tmp_path / "file"), "--explain", "training.patience"])
    assert failed.exit_code == 2
    assert "--explain must stand alone" in failed.stderr
    assert not (tmp_path / "file").exists()


def test_markdown_writes_the_page_of_settings(tmp_path: Path) -> None:
    written = CliRunner().invoke(app, ["schema", str(tmp_path / "settings.md"), "--markdown"])
    assert written.exit_code == 0
    assert (tmp_path / "settings.md").read_text() == settings_page()
    assert CliRunner().invoke(app, ["schema", "--markdown"]).output == settings_page()


def test_the_json_schema_shows_meanings() -> None:
    schema = json.loads(CliRunner().invoke(app, ["schema"]).output)
    training = schema["$defs"]["TrainingSettings"]["properties"]
    assert training["patience"]["description"].startswith("Number of successive evaluations")
    assert schema["$defs"]["PerTokenGluSettings"]["properties"]["expansion"]["description"].startswith("Inner width")


def test_the_json_schema_allows_one_path_for_a_list_of_paths() -> None:
    schema = json.loads(CliRunner().invoke(app, ["schema"]).output)
    allowed = schema["$defs"]["FileSettings"]["properties"]["train"]["anyOf"]
    assert {"type": "string"} in allowed
