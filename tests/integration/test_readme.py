"""The commands of README run as pasted, in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rankelastor.cli.main import app

CHECKOUT = Path(__file__).parents[2]
RUN_COMMANDS = CHECKOUT / "tests" / "docs" / "run_commands.py"
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def blocks() -> list[list[list[str]]]:
    """The arguments of each command of each console block that calls rankelastor."""
    found = [block.splitlines() for block in re.findall(r"```console\n(.*?)```", README, re.S)]
    commands = [[shlex.split(line, comments=True) for line in block] for block in found]
    return [block for block in commands if block[0][0] == "rankelastor"]


def run_here(commands: list[list[str]], folder: Path) -> None:
    """Run commands one after the other in one process, as pasted into a shell in ``folder``."""
    todo = {"modules": [], "scripts": [], "commands": [shlex.join(command) for command in commands]}
    environment = {name: value for name, value in os.environ.items() if name != "RANKELASTOR_DATA"}
    done = subprocess.run(
        [sys.executable, str(RUN_COMMANDS), json.dumps(todo)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for command, (code, output) in json.loads(done.stdout)["commands"].items():
        assert code == 0, f"{command}\n{output}"


def test_the_first_block_runs_as_pasted_in_an_empty_folder(tmp_path: Path) -> None:
    first = blocks()[0]
    assert {command[0] for command in first} == {"rankelastor"}
    assert first[0][1] == "sample"
    run_here(first, tmp_path)
    header, row = (tmp_path / "scored.csv").read_text().splitlines()[:2]
    assert header.endswith(",probability")
    assert 0 < float(row.rpartition(",")[2]) < 1


def test_the_block_for_ones_own_log_begins_with_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = blocks()[1]
    assert [command[1] for command in own] == ["init", "train"]
    rows = [f"{index % 7 % 2},site {index % 5},{index * 37 % 100}.5" for index in range(200)]
    (tmp_path / "clicks.csv").write_text("\n".join(["click,site,price", *rows]) + "\n")
    monkeypatch.chdir(tmp_path)
    for command in own:
        result = CliRunner().invoke(app, command[1:], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert (tmp_path / "runs/clicks/result.json").is_file()


def test_recipes_that_readme_names_are_there() -> None:
    named = re.findall(r"recipes/[\w/]+\.(?:yaml|md)", README)
    assert named
    for path in named:
        assert (CHECKOUT / path).is_file(), path
