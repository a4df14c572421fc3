"""Members trained in processes side by side are those trained one after the other."""

import os
import queue
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rankelastor.ensembles.member_events import SilentListener
from rankelastor.ensembles.train import train_ensemble
from rankelastor.ensembles.worker import Worker
from rankelastor.errors import RunError
from rankelastor.recipes.load import dump_yaml, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.run_folder import RunFolder
from rankelastor.runs.weights import read_weights
from rankelastor.training.observers import Evaluation
from rankelastor.training.run import TrainedRun


def test_processes_side_by_side_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, str]] = []

    def popen(_command: list[str], *, env: dict[str, str], **_others: object) -> SimpleNamespace:
        given.append(env)
        return SimpleNamespace(stdin=None, stdout=())

    monkeypatch.setattr("rankelastor.ensembles.worker.subprocess.Popen", popen)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    Worker(queue.Queue(), num_beside=1_000)
    Worker(queue.Queue())
    assert [env.get("OMP_NUM_THREADS") for env in given] == ["1", None]


class Heard(SilentListener):
    """A listener that remembers."""

    def __init__(self) -> None:
        self.evaluations: dict[str, list[int]] = {}
        self.ended: list[str] = []

    def on_evaluation(self, member: str, evaluation: Evaluation) -> None:
        self.evaluations.setdefault(member, []).append(evaluation.epoch)

    def on_end(self, member: str) -> None:
        self.ended.append(member)


def test_processes_train_the_same_members(item_recipe: Recipe, ensemble: TrainedRun, tmp_path: Path) -> None:
    heard = Heard()
    run = train_ensemble(item_recipe, seeds=2, folder=tmp_path / "run", num_processes=2, listener=heard)
    assert heard.evaluations == {"seed-1": [1, 2, 3], "seed-2": [1, 2, 3]}
    assert sorted(heard.ended) == ["seed-1", "seed-2"]
    for name in heard.ended:
        weights = [read_weights(RunFolder(each.folder / "members" / name).best_weights) for each in (run, ensemble)]
        assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
        assert RunFolder(run.folder / "members" / name).recipe().training.execution.threads == 1


@pytest.mark.slow
def test_a_member_that_fails_is_named(item_recipe: Recipe, tmp_path: Path) -> None:
    diverging = with_overrides(item_recipe, {"training.learning_rate": 1e30})
    with pytest.raises(RunError, match=r"member seed-[12] of the ensemble was not trained: .*loss"):
        train_ensemble(diverging, seeds=2, folder=tmp_path / "run", num_processes=2)


def start(recipe: Path, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "rankelastor", "-q", "train", str(recipe), "--seeds", "3", "--processes", "2"]
    return subprocess.Popen([*command, "--run", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_steps(folder: Path) -> None:
    """Wait until two members have been evaluated at least once."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if len(list(folder.glob("members/*/metrics.jsonl"))) >= 2:
            return
        time.sleep(0.05)
    raise AssertionError("no member was evaluated")


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_ensemble_goes_on(number: int, item_recipe: Recipe, tmp_path: Path) -> None:
    """Its members stop with it, and the same command ends with the numbers of one that was never stopped."""
    recipe = with_overrides(item_recipe, {"training.epochs": 15, "training.patience": 15})
    (tmp_path / "recipe.yaml").write_text(dump_yaml(recipe))
    process = start(tmp_path / "recipe.yaml", tmp_path / "run")
    wait_for_steps(tmp_path / "run")
    os.kill(process.pid, number)
    process.wait()
    assert not (tmp_path / "run" / "result.json").exists()
    for name in ("run", "whole"):
        assert start(tmp_path / "recipe.yaml", tmp_path / name).wait(timeout=300) == 0
    results = [RunFolder(tmp_path / name).result() for name in ("run", "whole")]
    assert results[0].metrics == results[1].metrics
