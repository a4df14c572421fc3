"""The commands of README run as pasted, in an empty folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rankelastor.cli.main import app

CHECKOUT = Path(__file__).parents[2]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def blocks() -> list[list[list[str]]]:
    """The arguments of each command of each console block that calls rankelastor."""
    found = [block.splitlines() for block in re.findall(r"```console\n(.*?)```", README, re.S)]
    commands = [[shlex.split(line, comments=True) for line in block] for block in found]
    return [block for block in commands if block[0][0] == "rankelastor"]


def run_here(arguments: list[str]) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, f"rankelastor {shlex.join(arguments)}\n{result.output}"
    return result.output


def test_the_first_block_runs_as_pasted_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RANKELASTOR_DATA", raising=False)
    first = blocks()[0]
    assert [command[1] for command in first][0] == "sample"
    for program, *arguments in first:
        assert program == "rankelastor"
        run_here(arguments)
    header, row = Path("scored.csv").read_text().splitlines()[:2]
    assert header.endswith(",probability")
    assert 0 < float(row.rpartition(",")[2]) < 1


def test_the_block_for_ones_own_log_begins_with_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = blocks()[1]
    assert [command[1] for command in own] == ["init", "train"]
    monkeypatch.chdir(tmp_path)
    rows = [f"{index % 7 % 2},site {index % 5},{index * 37 % 100}.5" for index in range(200)]
    Path("clicks.csv").write_text("\n".join(["click,site,price", *rows]) + "\n")
    for _, *arguments in own:
        run_here(arguments)
    assert Path("runs/clicks/result.json").is_file()


def test_recipes_that_readme_names_are_there() -> None:
    named = re.findall(r"recipes/[\w/]+\.(?:yaml|md)", README)
    assert named
    for path in named:
        assert (CHECKOUT / path).is_file(), path
