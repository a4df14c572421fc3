"""The verb sample."""

from pathlib import Path

from typer.testing import CliRunner

from rankelastor.cli.main import app


def test_it_says_what_it_wrote_and_what_comes_next(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    result = CliRunner().invoke(app, ["sample", str(folder), "--rows", "1000"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "train.csv 800, valid.csv 100, test.csv 100 rows; new.csv has rows to score" in result.output
    assert "best possible on test: AUC 0." in result.output
    assert f"Next: rankelastor train {folder / 'recipe.yaml'}" in result.output


def test_other_peoples_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    result = CliRunner().invoke(app, ["sample", str(tmp_path)])
    assert result.exit_code == 2
    assert "a sample must have its own folder" in result.output
