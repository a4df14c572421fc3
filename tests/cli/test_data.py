"""`rankelastor data`: its output on a terminal and in a script."""

import hashlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from tests.data.published.conftest import CONTENTS, pack
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.data.published import catalogue

runner = CliRunner()


@pytest.fixture
def zips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with a small Frappe_x1.zip whose checksums pass as the published ones."""
    contents = dict.fromkeys(("train.csv", "valid.csv", "test.csv"), CONTENTS["test.csv"])
    md5 = hashlib.md5(CONTENTS["test.csv"]).hexdigest()
    small = [
        catalogue.PublishedDataset(
            **vars(dataset) | {"files": tuple(catalogue.PublishedFile(name, md5) for name in contents)}
        )
        for dataset in catalogue.DATASETS
    ]
    monkeypatch.setattr(catalogue, "DATASETS", tuple(small))
    monkeypatch.setenv("RANKELASTOR_DATA", str(tmp_path / "data"))
    return pack(tmp_path / "zips" / "Frappe_x1.zip", contents).parent


def test_fetch_shows_terms_and_files_and_does_nothing_the_second_time(zips: Path, tmp_path: Path) -> None:
    arguments = ["data", "fetch", "frappe_x1", "--from", str(zips)]
    first = runner.invoke(app, [*arguments, "--accept-terms"], terminal_width=200)
    assert first.exit_code == 0, first.output
    assert "https://www.baltrunas.info/context-aware" in first.output
    assert "md5 as published" in first.output
    assert {path.name for path in (tmp_path / "data" / "Frappe_x1").iterdir()} == {
        "train.csv", "valid.csv", "test.csv", "dataset.json"
    }  # fmt: skip
    second = runner.invoke(app, arguments)
    assert second.exit_code == 0, second.output
    assert "is there already, nothing to do" in second.output
    assert "baltrunas" not in second.output


def test_the_list_shows_what_is_here(zips: Path) -> None:
    before = runner.invoke(app, ["data", "list"]).output
    assert "Frappe_x1" in before
    assert "yes" not in before
    runner.invoke(app, ["data", "fetch", "Frappe_x1", "--from", str(zips), "--accept-terms"])
    lines = runner.invoke(app, ["data", "list"]).output.splitlines()
    assert [line.split()[0] for line in lines if "yes" in line] == ["Frappe_x1"]


def test_a_script_that_does_not_accept_is_told_how(zips: Path, tmp_path: Path) -> None:
    failed = runner.invoke(app, ["data", "fetch", "Frappe_x1", "--from", str(zips)])
    assert failed.exit_code == 2
    assert "there is no terminal to ask at; read https://www.baltrunas.info" in failed.output
    assert "add --accept-terms" in failed.output
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("answer", ["y\n", "n\n"], ids=["yes", "no"])
def test_a_person_is_asked(answer: str, tmp_path: Path) -> None:
    """Answer the question; the folder of zips is empty, so accepting leads to an error about it."""
    person, terminal = pty.openpty()
    os.write(person, answer.encode())
    command = [sys.executable, "-m", "rankelastor", "data", "fetch", "Frappe_x1", "--from", str(tmp_path / "zips")]
    done = subprocess.run(
        [*command, "--to", str(tmp_path / "to")],
        stdin=terminal,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert done.returncode == 2
    assert "Do you accept these terms? [y/N]" in done.stdout + done.stderr
    expected = "Frappe_x1.zip does not exist" if answer == "y\n" else "must be accepted before it is fetched"
    assert expected in done.stderr


def test_an_unknown_id_lists_the_known_ones() -> None:
    failed = runner.invoke(app, ["data", "fetch", "a_log"])
    assert failed.exit_code == 2
    assert "try one of Criteo_x1, Avazu_x4, KuaiVideo_x1, TaobaoAd_x1, Frappe_x1, MovielensLatest_x1" in failed.output
