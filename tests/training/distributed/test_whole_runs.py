"""Whole runs by several ranks: what stands in the run folder, and what goes on from a checkpoint."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.collectives.ranks import on_ranks
from tests.training.distributed.shared_training import log_values, write_log
from tests.training.resumed_runs import EVERY_STEP, Kill, KilledError, assert_same, contents

from rankelastor.collectives.processes import ALONE, LostProcessError, Processes
from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import RankElastorError
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.checkpoints import list_checkpoints
from rankelastor.runs.run_folder import RunFolder
from rankelastor.sharding.torchrec_parts import torchrec_parts
from rankelastor.spectrum.runs.observer import SpectrumObserver
from rankelastor.training.distributed.follow import follow
from rankelastor.training.distributed.stopping_together import SharedInterruption
from rankelastor.training.observers import SilentObserver, Step, TrainingObserver
from rankelastor.training.run import train

MODEL = {
    "kind": "rankelastor",
    "embedding_dim": 4,
    "token_dim": 8,
    "num_tokens": 2,
    "num_blocks": 1,
    "tokenizer": {"kind": "joint"},
    "ffn": {"kind": "glu", "hidden_dims": [8], "dropout": 0.2},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    write_log(folder / "clicks")
    return folder


@pytest.fixture
def recipe(folder: Path) -> Recipe:
    values = log_values(folder, MODEL, epochs=2, evaluate_every=0.5, averaged_weights={"decay": 0.9})
    return recipe_from_values(values | {"spectrum": {"every_steps": 4, "warn_share": 1.0}})


def take_part(
    recipe: Recipe, folder: Path, *, processes: Processes, observers: Sequence[TrainingObserver] = (), **asked: Any
) -> None:
    """Do what the command line does in one of several processes."""
    if processes.world.is_first:
        train(recipe, folder=folder, observers=observers, processes=processes, **asked)
    else:
        asked.pop("resume", None)
        follow(recipe, processes=processes, **asked)


def train_on_ranks(
    recipe: Recipe, size: int, folder: Path, observers: Sequence[TrainingObserver] = (), **asked: Any
) -> None:
    """Train with ranks that are threads; what the first raises is raised."""

    def work(processes: Processes) -> None:
        with nullcontext() if processes.world.is_first else suppress(LostProcessError):
            take_part(recipe, folder, observers=observers, processes=processes, **asked)

    if size == 1:
        work(ALONE)
    else:
        on_ranks(size, work)


def without_figures_of_processes(found: Mapping[str, Any]) -> dict[str, Any]:
    result = {name: value for name, value in found["result"].items() if name != "processes"}
    return {**found, "result": result}


def numbers(values: Any) -> list[float]:
    """List all numbers in plain values, in order."""
    if isinstance(values, dict):
        return [number for key in sorted(values) for number in numbers(values[key])]
    if isinstance(values, list):
        return [number for value in values for number in numbers(value)]
    return [float(values)] if isinstance(values, int | float) else []


def test_a_run_by_two_has_the_numbers_of_a_run_by_one(recipe: Recipe, tmp_path: Path) -> None:
    recipe = with_overrides(recipe, {"model.ffn.dropout": 0.0})
    for size in (1, 2):
        observer = SpectrumObserver(recipe.spectrum, tmp_path / str(size))
        train_on_ranks(recipe, size, tmp_path / str(size), [observer])
    one, two = (without_figures_of_processes(contents(tmp_path / name)) for name in "12")
    assert numbers(two["metrics"]) == pytest.approx(numbers(one["metrics"]), abs=2e-6)
    assert numbers(two["result"]["test"]) == pytest.approx(numbers(one["result"]["test"]), abs=2e-6)
    assert two["spectrum/samples.jsonl"].count("\n") == one["spectrum/samples.jsonl"].count("\n") == 4
    figures = RunFolder.open(tmp_path / "2").result().processes
    assert figures is not None
    assert figures.number == 2
    assert figures.bytes_per_step.keys() == {"dense", "rows", "row gradients", "totals"}
    assert json.loads((tmp_path / "2" / "environment.json").read_text())["processes"] == 2
    assert evaluate(tmp_path / "2", split="test").as_dict() == RunFolder.open(tmp_path / "2").result().test


def test_a_run_that_was_stopped_ends_like_one_that_was_not(recipe: Recipe, tmp_path: Path) -> None:
    recipe = with_overrides(recipe, EVERY_STEP)
    train_on_ranks(recipe, 2, tmp_path / "whole")
    with pytest.raises(KilledError):
        train_on_ranks(recipe, 2, tmp_path / "parts", [Kill(8)])
    last = Kill(0)
    train_on_ranks(recipe, 2, tmp_path / "parts", [last])
    assert last.steps[0] == 8  # in the midst of the second epoch
    for name in ("whole", "parts"):
        forget_traffic(tmp_path / name)
    assert_same(tmp_path / "whole", tmp_path / "parts")


def forget_traffic(folder: Path) -> None:
    result = json.loads((folder / "result.json").read_text())
    del result["processes"]
    (folder / "result.json").write_text(json.dumps(result))


@pytest.mark.parametrize(
    ("before", "after"),
    [(2, 1), *(pytest.param(*numbers, marks=pytest.mark.slow) for numbers in [(1, 2), (2, 4), (4, 1), (4, 2)])],
)
def test_another_number_of_processes_goes_on(
    before: int, after: int, recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = with_overrides(recipe, EVERY_STEP | {"model.ffn.dropout": 0.0})
    train_on_ranks(recipe, 1, tmp_path / "whole")
    with pytest.raises(KilledError):
        train_on_ranks(recipe, before, tmp_path / "parts", [Kill(8)])
    train_on_ranks(recipe, after, tmp_path / "parts")
    assert f"the number of processes was {before} and is {after}" in caplog.text
    whole, parts = (contents(tmp_path / name)["metrics"] for name in ("whole", "parts"))
    assert numbers(parts) == pytest.approx(numbers(whole), abs=2e-6)


class _Ask(SilentObserver):
    def __init__(self, interruption: SharedInterruption) -> None:
        self._interruption = interruption

    def on_step(self, step: Step) -> None:
        if step.index == 5:
            self._interruption.request(KeyboardInterrupt())


def test_all_stop_after_the_same_step_and_the_state_is_saved(recipe: Recipe, tmp_path: Path) -> None:
    def work(processes: Processes) -> str:
        interruption = SharedInterruption()
        asked: dict[str, Any] = {"processes": processes, "interruption": interruption}
        with pytest.raises(KeyboardInterrupt):
            take_part(recipe, tmp_path / "run", observers=[_Ask(interruption)], **asked)
        return "stopped"

    assert on_ranks(2, work) == ["stopped"] * 2
    assert [path.name for path in list_checkpoints(tmp_path / "run" / "checkpoints")] == ["step-0000000006"]


def errors(recipe: Recipe, other: Recipe, folder: Path) -> list[str]:
    """List the errors of two ranks, the first of which trains a recipe and the second another."""

    def work(processes: Processes) -> str:
        with pytest.raises(RankElastorError) as refused:
            take_part(recipe if processes.world.is_first else other, folder, processes=processes)
        return str(refused.value)

    return on_ranks(2, work)


def test_other_recipes_are_found_before_the_first_step(recipe: Recipe, tmp_path: Path) -> None:
    other = with_overrides(recipe, {"training.batch_size": 32, "training.threads": 1})
    for message in errors(recipe, other, tmp_path / "run"):
        assert "process 1 has another one than process 0: training.batch_size was 17 there and is 32 here;" in message
    assert not (tmp_path / "run").exists()


def test_other_data_are_found_before_the_first_step(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as the files of another machine may be others
    monkeypatch.setattr(PreparedDataset, "fingerprint", property(lambda _self: threading.current_thread().name[-1]))
    for message in errors(recipe, recipe, tmp_path / "run"):
        assert "all 2 processes must have the same prepared data, but process 1 has " in message


def test_a_process_that_cannot_open_its_data_is_named(recipe: Recipe, tmp_path: Path) -> None:
    other = with_overrides(recipe, {"data.prepared": str(tmp_path / "elsewhere"), "data.files.train": "none.csv"})
    first, second = errors(recipe, other, tmp_path / "run")
    assert first.startswith("process 1 of 2 must open its data, but ")
    assert "none.csv" in first
    assert "none.csv" in second


def test_more_processes_than_rows_of_a_split_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "clicks", tmp_path / "clicks")
    lines = (folder / "clicks" / "valid.csv").read_text().splitlines()
    labels = [next(line for line in lines[1:] if line.startswith(label)) for label in "01"]
    (tmp_path / "clicks" / "valid.csv").write_text("\n".join([lines[0], *labels]) + "\n")
    small = recipe_from_values(log_values(tmp_path, MODEL))

    def work(processes: Processes) -> str:
        with pytest.raises(RankElastorError) as refused:
            take_part(small, tmp_path / "run", processes=processes)
        return str(refused.value)

    for message in on_ranks(3, work):
        assert message.endswith(
            "must get a row of each batch and each split, but the rows of valid are 2; try 2 processes"
        )
    assert not (tmp_path / "run").exists()


def sharded_recipe(folder: Path) -> Recipe:
    optimiser = {"embedding_rule": "rowwise_adagrad", "embedding_learning_rate": 0.05}
    none = dict.fromkeys(("learning_rate", "embedding_l2", "embedding_updates"))
    return recipe_from_values(
        log_values(folder, MODEL, optimiser=optimiser, distributed={"embedding": "sharded"}, **none)
    )


def test_sharded_rows_without_torchrec_are_refused_with_what_installs_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fbgemm_gpu", None)
    torchrec_parts.cache_clear()
    recipe = sharded_recipe(folder)
    for message in errors(recipe, recipe, tmp_path / "run"):
        assert "TorchRec must be installed for training.distributed.embedding=sharded" in message
        assert "&& pip install --no-deps torchrec==" in message
    assert not (tmp_path / "run").exists()


def test_early_stopping_ends_all_ranks_after_the_same_evaluation(recipe: Recipe, tmp_path: Path) -> None:
    hasty = with_overrides(
        recipe, {"training.epochs": 30, "training.patience": 1, "training.learning_rate": 0.1, "model.ffn.dropout": 0.0}
    )
    for size in (1, 2):
        train_on_ranks(hasty, size, tmp_path / str(size))
    one, two = (RunFolder.open(tmp_path / name).result() for name in "12")
    assert two.epochs == one.epochs < 30
    assert two.best_epoch == one.best_epoch


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2])
def test_ranks_go_on_from_a_finished_run_as_one_does(size: int, recipe: Recipe, tmp_path: Path) -> None:
    kept = with_overrides(recipe, {"training.checkpoint.keep_after_end": True, "model.ffn.dropout": 0.0})
    train_on_ranks(kept, size, tmp_path / "first")
    for after in (1, 2):
        train_on_ranks(kept, after, tmp_path / str(after), start_from=tmp_path / "first")
    one, two = (contents(tmp_path / name)["metrics"] for name in "12")
    assert numbers(two) == pytest.approx(numbers(one), abs=2e-6)
    longer = with_overrides(kept, {"training.epochs": 3})
    for after in (1, 2):
        train_on_ranks(longer, after, tmp_path / str(after), start_from=tmp_path / "first", resume=True)
    one, two = (contents(tmp_path / name)["metrics"] for name in "12")
    assert len(two) == len(one) == 6
    assert numbers(two) == pytest.approx(numbers(one), abs=2e-6)


def test_more_processes_than_rows_of_a_batch_are_refused(recipe: Recipe, tmp_path: Path) -> None:
    small = with_overrides(recipe, {"training.batch_size": 1})
    for message in errors(small, small, tmp_path / "run"):
        assert message.endswith("each split, but training.batch_size is 1; try 1 process")
