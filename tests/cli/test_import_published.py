"""`rankelastor import-published`: it writes a run folder and says what does not match."""

import json
from pathlib import Path

from tests.interop.published_files import PublishedFiles
from typer.testing import CliRunner

from rankelastor.cli.main import app

runner = CliRunner()


def command(files: PublishedFiles, *more: str) -> list[str]:
    named = {"--settings": files.settings, "--data": files.recipe, "--run": files.folder / "run"}
    options = [text for option, value in named.items() for text in (option, str(value))]
    return ["import-published", str(files.checkpoint), *options, *more]


def test_the_run_folder_is_written_and_what_differs_is_shown(tmp_path: Path) -> None:
    files = PublishedFiles(tmp_path)
    done = runner.invoke(app, command(files))
    assert done.exit_code == 0, done.output
    for text in ("Values that only one side knows", "c0", "run folder of", "rankelastor evaluate"):
        assert text in done.output
    evaluated = runner.invoke(app, ["evaluate", str(files.folder / "run"), "--split", "test"])
    assert evaluated.exit_code == 0, evaluated.output


def test_json_holds_notes_and_counts(tmp_path: Path) -> None:
    files = PublishedFiles(tmp_path)
    done = runner.invoke(app, command(files, "--expid", "small_run", "--json"))
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert printed["matched"][0] == {"field": "c0", "num_values": 8, "num_unknown": 1, "num_lost": 0}
    assert {note["outcome"] for note in printed["notes"]} <= {"no equal", "ignored by FuxiCTR", "differs"}
