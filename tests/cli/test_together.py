"""What the command line says of several processes; tests/integration/test_several_processes.py starts them."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from rankelastor.cli import together
from rankelastor.cli.main import app
from rankelastor.collectives.processes import LostProcessError
from rankelastor.errors import RunError, SettingsError

OF_TWO = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}


@pytest.fixture
def recipe_file(recipe_values: dict[str, Any], tmp_path: Path) -> Path:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe_values))
    return tmp_path / "recipe.yaml"


def rankelastor(*arguments: object, environment: dict[str, str] | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "200", **(environment or {})}).invoke(app, [str(each) for each in arguments])


def test_an_ensemble_is_no_work_of_processes_that_train_together(recipe_file: Path) -> None:
    refused = rankelastor("train", recipe_file, "--seeds", 2, environment=OF_TWO)
    assert refused.exit_code == 2
    assert "--seeds is for one process that starts others, but this is one of several; leave it out" in refused.stderr


def test_a_number_of_processes_must_be_that_of_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    together._check_number(None)
    together._check_number(2)
    with pytest.raises(SettingsError, match="that the launcher started, which is 2, but 3 was given; leave it out"):
        together._check_number(3)


@pytest.mark.parametrize("verb", ["train", "profile"])
def test_mistakes_are_said_before_processes_start(
    verb: str, recipe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "start", lambda number: pytest.fail(f"{number} processes were started"))
    wrong = rankelastor(verb, recipe_file, "--processes", 2, "--set", "training.batch_size=0")
    assert wrong.exit_code == 2
    assert "training.batch_size" in wrong.stderr
    none = rankelastor(verb, recipe_file, "--processes", 0)
    assert none.exit_code == 2


@pytest.mark.parametrize("verb", ["train", "profile"])
def test_the_help_says_what_processes_do(verb: str) -> None:
    words = " ".join(rankelastor(verb, "--help").output.replace("│", " ").split())
    assert "--processes" in words
    assert "processes of this machine" in words
    assert "torchrun starts" in words


def why(**codes: int) -> Exception:
    """Say why processes ended with these exit codes, by rank."""
    failures = {int(rank.removeprefix("rank")): SimpleNamespace(exitcode=code) for rank, code in codes.items()}
    return together._why(SimpleNamespace(failures=failures), 4)


def test_a_killed_process_is_named_and_not_those_that_end_with_it() -> None:
    killed = why(rank0=together._LOST, rank2=-signal.SIGKILL)
    assert isinstance(killed, RunError)
    assert "but process 2 was ended by SIGKILL, as the system does where memory runs out; train again" in str(killed)
    assert "process 1 was ended by SIGSEGV; train again" in str(why(rank1=-signal.SIGSEGV, rank0=-signal.SIGTERM))


def test_a_process_that_has_said_why_it_ended_gives_the_exit_code() -> None:
    for codes, code in (
        ({"rank0": 2, "rank1": together._LOST}, 2),
        ({"rank0": together._LOST, "rank1": -signal.SIGTERM}, together._LOST),
    ):
        ended = why(**codes)
        assert isinstance(ended, typer.Exit)
        assert ended.exit_code == code


def joined(failure: str | None = None) -> Any:
    """Stand for processes, of which another one left the message of a failure."""
    told: list[str] = []
    return SimpleNamespace(failure=lambda: failure, tell_failure=told.append, told=told)


def test_the_first_process_says_what_another_one_failed_with() -> None:
    with (
        pytest.raises(RunError, match="process 1 of 2: no memory"),
        together._speaking(joined("process 1 of 2: no memory")),
    ):
        raise LostProcessError("lost")


def test_the_first_process_of_a_launcher_that_speaks_leaves_lost_ones_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LostProcessError), together._speaking(joined()):
        raise LostProcessError("lost")
    monkeypatch.setenv("RANKELASTOR_LAUNCHED", "1")
    with pytest.raises(typer.Exit) as ended, together._speaking(joined()):
        raise LostProcessError("lost")
    assert ended.value.exit_code == together._LOST


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (SettingsError("a must be b"), 2, ["a must be b"]),
        (LostProcessError("lost"), together._LOST, []),
        (KeyboardInterrupt(), 130, []),
    ],
)
def test_other_processes_end_with_a_code_and_leave_their_words_to_the_first(
    error: BaseException, code: int, told: list[str]
) -> None:
    before, found = signal.getsignal(signal.SIGTERM), joined()
    try:
        with pytest.raises(typer.Exit) as ended, together._quiet(found):
            raise error
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.exit_code == code
    assert found.told == told
