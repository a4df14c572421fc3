"""Processes that train together, started as users start them: two by themselves, by --processes, and by torchrun."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.free_port import free_port
from tests.sharding.process_ranks import needs_torchrec
from tests.sharding.trained_steps import sharded_values
from tests.training.distributed.shared_training import log_values, write_log
from tests.training.distributed.test_whole_runs import numbers

from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.run import train

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "PYTHONPATH": f"{ROOT / 'src'}"}
MLP = {"kind": "mlp", "embedding_dim": 4, "hidden_dims": [8]}
COMMAND = [sys.executable, "-m", "rankelastor", "train", "recipe.yaml", "--to", "run"]
LONGEST_SECONDS = 240


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    """Settings of a short run, which also stand in ``recipe.yaml``."""
    write_log(tmp_path / "clicks")
    values = log_values(tmp_path, MLP, epochs=2)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    return values


def start_rank(folder: Path, rank: int, *, port: int, size: int = 2) -> subprocess.Popen[str]:
    """Start the command line as one rank, as a launcher does."""
    meeting = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return subprocess.Popen(
        COMMAND,
        cwd=folder,
        env=ENVIRONMENT | meeting | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ends(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Wait for processes, and list their exit codes and what they said."""
    said = [process.communicate(timeout=LONGEST_SECONDS) for process in processes]
    return [(process.returncode, *each) for process, each in zip(processes, said, strict=True)]


def metrics(folder: Path) -> list[float]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [number for line in lines for number in numbers({**json.loads(line), "seconds": 0})]


def test_two_processes_train_as_one_and_the_first_speaks(values: dict[str, Any], tmp_path: Path) -> None:
    port = free_port()
    (first, words, _), (second, *nothing) = ends([start_rank(tmp_path, rank, port=port) for rank in range(2)])
    assert (first, second) == (0, 0)
    assert "run folder: run" in words
    assert nothing == ["", ""]
    assert json.loads((tmp_path / "run" / "result.json").read_text())["processes"]["number"] == 2
    train(recipe_from_values(values), folder=tmp_path / "alone")
    assert metrics(tmp_path / "run") == pytest.approx(metrics(tmp_path / "alone"), abs=2e-6)


@pytest.mark.slow
def test_a_mistake_in_one_process_is_said_once_by_the_first(values: dict[str, Any], tmp_path: Path) -> None:
    port, other = free_port(), tmp_path / "other"
    shutil.copytree(tmp_path, other, ignore=shutil.ignore_patterns("other"))
    (other / "recipe.yaml").write_text(yaml.safe_dump({**values, "training": values["training"] | {"batch_size": 18}}))
    ranks = [start_rank(folder, rank, port=port) for rank, folder in enumerate((tmp_path, other))]
    (first, _, words), (second, *nothing) = ends(ranks)
    assert (first, second) == (2, 2)
    assert words.count("error: ") == 1
    assert "training.batch_size was 17 there and is 18 here" in words
    assert nothing == ["", ""]


@pytest.mark.slow
def test_a_port_in_use_is_refused(values: dict[str, Any], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        words = start_rank(tmp_path, 0, port=port).communicate(timeout=LONGEST_SECONDS)[1]
    assert f"error: the port at which processes meet must be free, but 127.0.0.1:{port} is in use" in words


def ranks_of(launcher: subprocess.Popen[str]) -> list[int]:
    """List the process ids of the ranks that a launcher has started, by rank."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    return sorted(int(child) for child in children)


def longer_recipe(folder: Path, embedding: str) -> Recipe:
    """Write a recipe that trains long enough to be killed, with a checkpoint after each step."""
    training: dict[str, Any] = {"epochs": 20, "patience": 99, "checkpoint": {"every_steps": 1}}
    if embedding == "sharded":
        values = sharded_values(folder, "row_wise", **training)
    else:
        values = log_values(folder, MLP, **training)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(values))
    return recipe_from_values(values)


def kill_rank(launcher: subprocess.Popen[str], rank: int, folder: Path) -> None:
    """Kill one of the ranks that a launcher started, as soon as there is a checkpoint."""
    began = time.monotonic()
    while not list((folder / "run").glob("checkpoints/step-*")):
        assert launcher.poll() is None, launcher.communicate()
        assert time.monotonic() - began < LONGEST_SECONDS
        time.sleep(0.01)
    os.kill(ranks_of(launcher)[rank], signal.SIGKILL)


EMBEDDINGS = ["replicated", pytest.param("sharded", marks=needs_torchrec)]
needs_proc = pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")


@pytest.mark.fault
@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize(
    ("rank", "embedding"), [(0, "replicated"), (1, "replicated"), pytest.param(1, "sharded", marks=needs_torchrec)]
)
def test_a_process_that_is_killed_ends_all_with_one_message_and_the_run_goes_on(
    rank: int, embedding: str, values: dict[str, Any], tmp_path: Path
) -> None:
    recipe = longer_recipe(tmp_path, embedding)
    command = [*COMMAND, "--processes", "2", "--quiet"]
    launcher = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    kill_rank(launcher, rank, tmp_path)
    words = launcher.communicate(timeout=LONGEST_SECONDS)[1]
    assert launcher.returncode == 2
    assert words.count("error: ") == 1
    assert f"process {rank} was ended by SIGKILL" in words
    subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, check=True, timeout=LONGEST_SECONDS)
    train(recipe, folder=tmp_path / "alone")
    assert metrics(tmp_path / "run") == pytest.approx(metrics(tmp_path / "alone"), abs=1e-4)


@pytest.mark.fault
@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_torchrun_restarts_all_from_the_last_checkpoint_when_one_is_killed(
    embedding: str, values: dict[str, Any], tmp_path: Path
) -> None:
    recipe = longer_recipe(tmp_path, embedding)
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "1"]
    command = [sys.executable, "-m", *torchrun, *COMMAND[1:]]
    launcher = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    kill_rank(launcher, 1, tmp_path)
    words = launcher.communicate(timeout=LONGEST_SECONDS)[1]
    assert launcher.returncode == 0, words
    assert words.count("error: all 2 processes of a training must go on until it ends") <= 1  # may be stopped before
    (resumed,) = json.loads((tmp_path / "run" / "environment.json").read_text())["resumed"]
    assert resumed["after_step"] >= 1
    train(recipe, folder=tmp_path / "alone")
    assert metrics(tmp_path / "run") == pytest.approx(metrics(tmp_path / "alone"), abs=1e-4)


@pytest.mark.slow
def test_torchrun_starts_four(values: dict[str, Any], tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "4"]
    subprocess.run([*torchrun, *COMMAND[1:]], cwd=tmp_path, env=ENVIRONMENT, check=True, timeout=LONGEST_SECONDS)
    assert json.loads((tmp_path / "run" / "result.json").read_text())["processes"]["number"] == 4
    train(recipe_from_values(values), folder=tmp_path / "alone")
    assert metrics(tmp_path / "run") == pytest.approx(metrics(tmp_path / "alone"), abs=2e-6)
