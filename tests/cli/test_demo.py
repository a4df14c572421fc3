"""The verb demo, in this process."""

from pathlib import Path

from typer.testing import CliRunner

from rankelastor.cli.main import app


def test_the_demo_runs_and_says_what_it_shows(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["demo", "--rows", "1000", "--folder", str(tmp_path / "demo")], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    for text in ("What this shows", "- AUC: ", "- Rank: ", "- Why not more: 1,000 rows are few", "Try 200,000 rows"):
        assert text in result.output
