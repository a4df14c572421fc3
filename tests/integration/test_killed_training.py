"""A training that is killed at any moment is trained again to the same numbers, and repeats little.

``RANKELASTOR_KILLS=20`` sets the number of kills per phase; ``make test-faults`` does.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.training.resumed_runs import assert_same

from rankelastor.runs.checkpoints import list_checkpoints, read_checkpoint

pytestmark = pytest.mark.fault

KILLS = int(os.environ.get("RANKELASTOR_KILLS", "1"))
CHILDREN = Path(__file__).with_name("killed_training.py")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
ROOT = Path(__file__).parents[2]
MOST_TRIES = 30
LONGEST = {"prepare": 0.15, "step": 0.002, "write": 0.02, "evaluation": 0.01}
"""Longest wait in seconds after a phase begins, about as long as it takes."""
TIMES = {"prepare": 1, "step": 30, "write": 14, "evaluation": 4}
"""How often a whole run is in each phase, at least."""


def settings(tmp_path: Path) -> dict[str, Any]:
    """Write a log, and return settings of a run of some tenths of a second with a checkpoint at every second step."""
    draws = random.Random(1)
    rows = [f"{row % 2},{draws.random():.4f},i{draws.randrange(400)},u{draws.randrange(9)}" for row in range(3_000)]
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "all.csv").write_text("click,x,item,user\n" + "\n".join(rows) + "\n")
    return {
        "name": "killed",
        "data": {
            "prepared": str(tmp_path / "prepared"),
            "files": {"folder": str(tmp_path / "raw"), "all": "all.csv"},
            "split": {"kind": "random"},
            "label": "click",
            "fields": [{"kind": "numeric", "column": "x"}, {"kind": "categorical", "column": ["item", "user"]}],
        },
        "model": {"kind": "mlp", "embedding_dim": 4, "hidden_dims": [16], "dropout": 0.1},
        "training": {
            "epochs": 3,
            "batch_size": 200,
            "patience": 9,
            "embedding_updates": "lazy",
            "baseline": False,
            "checkpoint": {"every_steps": 2},
        },
    }


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    return settings(tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("killed")


@pytest.fixture(scope="module")
def process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has imported all modules and trains in children; one whole run is done."""
    with children(settings(folder), folder) as process:
        assert ask(process, folder=str(folder / "whole"), steps=str(folder / "steps.txt")) == "ended 0"
        yield process


@contextmanager
def children(values: dict[str, Any], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "recipe.json").write_text(json.dumps(values))
    command = [sys.executable, str(CHILDREN), str(tmp_path / "recipe.json")]
    with subprocess.Popen(
        command, text=True, env=ENVIRONMENT, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def ask(process: subprocess.Popen[str], **order: Any) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(order) + "\n")
    return process.stdout.readline().strip()


def newest_whole_step(folder: Path) -> int:
    found = list_checkpoints(folder / "checkpoints") if folder.exists() else []
    return read_checkpoint(found[0]).step if found else 0


@pytest.mark.parametrize("phase", LONGEST)
def test_killed_in_a_phase_it_ends_as_if_nothing_had_happened(
    phase: str, process: subprocess.Popen[str], folder: Path
) -> None:
    draws = random.Random(phase)
    kills = -(-KILLS // 2) if phase == "evaluation" else KILLS
    whole, run, steps = (folder / name for name in ("whole", "run", "steps.txt"))
    done = tries = 0
    while done < kills:
        tries += 1
        assert tries < MOST_TRIES * kills, f"only {done} of {tries} kills hit {phase}"
        if phase == "prepare":
            shutil.rmtree(folder / "prepared", ignore_errors=True)
        shutil.rmtree(run, ignore_errors=True)
        wait = {"times": draws.randint(1, TIMES[phase]), "seconds": draws.uniform(0, LONGEST[phase])}
        if ask(process, folder=str(run), steps=str(steps), phase=phase, **wait) != "killed":
            continue
        done += 1
        newest = newest_whole_step(run)
        assert ask(process, folder=str(run), steps=str(steps)) == "ended 0"
        repeated = [int(line) for line in steps.read_text().split()]
        assert repeated == list(range(newest + 1, 3 * 12 + 1))  # no step is taken that the checkpoint has behind it
        assert_same(whole, run)
    print(f"{phase}: {done} kills in it ({tries} tries), {done} runs with the same result")  # noqa: T201 - pytest -s


def start(values: dict[str, Any], tmp_path: Path) -> tuple[list[str], Path]:
    """Return a command that trains for minutes, and its run folder."""
    values["training"] |= {"epochs": 100_000, "patience": 100_000, "checkpoint": {"every_minutes": 60}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    run = tmp_path / "run"
    return [sys.executable, "-m", "rankelastor", "train", str(tmp_path / "recipe.yaml"), "--run", str(run)], run


def wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert path.exists()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
    ],
)
def test_a_signal_saves_the_state_and_leaves_within_ten_seconds(
    number: signal.Signals, code: int, values: dict[str, Any], tmp_path: Path
) -> None:
    command, run = start(values, tmp_path)
    with subprocess.Popen(command, text=True, env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
        wait_for(run / "metrics.jsonl")
        sent = time.monotonic()
        process.send_signal(number)
        _, message = process.communicate(timeout=60)
        seconds = time.monotonic() - sent
    assert process.returncode == code, message
    assert seconds < 10
    assert "keeps the state of the training; train again to go on" in message
    evaluations = (run / "metrics.jsonl").read_text().count("\n")
    assert newest_whole_step(run) >= 12 * evaluations


@pytest.mark.slow
def test_under_nohup_the_end_of_the_terminal_stops_nothing(values: dict[str, Any], tmp_path: Path) -> None:
    command, run = start(values, tmp_path)

    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL, preexec_fn=ignore) as process:  # noqa: PLW1509 - before any thread
        wait_for(run / "metrics.jsonl")
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.terminate()
        assert process.wait(60) == 143
