"""Files that lie beside the recipe, and not in the current folder, are pointed out."""

from pathlib import Path

import pytest

from rankelastor.data.raw.file_settings import FileSettings
from rankelastor.recipes.beside import warn_of_files_beside


def warned(files: dict[str, str], recipe: Path, caplog: pytest.LogCaptureFixture) -> str:
    warn_of_files_beside(FileSettings.model_validate(files), recipe)
    return caplog.text


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "log.csv").touch()
    (tmp_path / "o").mkdir()
    monkeypatch.chdir(tmp_path / "o")
    return tmp_path


def test_a_file_beside_the_recipe_is_pointed_out(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = warned({"all": "log.csv"}, Path("../r.yaml"), caplog)
    assert f"{here}/o/log.csv does not exist, but {here}/log.csv does, which lies beside the recipe" in text
    assert f"paths count from the current folder, so run the command in {here}, or set data.files.folder" in text


@pytest.mark.parametrize("pattern", ["absent.csv", "*.csv"])
def test_nothing_is_said_of_others(here: Path, caplog: pytest.LogCaptureFixture, pattern: str) -> None:
    assert warned({"all": pattern}, Path("../r.yaml"), caplog) == ""
    assert warned({"all": "log.csv", "folder": str(here)}, Path("../r.yaml"), caplog) == ""
    assert warned({"all": str(here / "log.csv")}, Path("../r.yaml"), caplog) == ""
    (here / "o" / "log.csv").touch()
    assert warned({"all": "log.csv"}, Path("../r.yaml"), caplog) == ""
