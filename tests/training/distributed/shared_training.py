"""Trainings by several ranks, which are threads of one process, on a small log."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.collectives.ranks import on_ranks
from torch import Tensor

from rankelastor.collectives.processes import ALONE, Processes
from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.epochs import Epochs
from rankelastor.training.inputs import RunInputs
from rankelastor.training.interruption import Interruption
from rankelastor.training.observers import SilentObserver, Step

NUM_ROWS, BATCH_SIZE = 90, 17
NUM_STEPS = 20
"""Five batches of 17 rows, which no number of processes divides, and one of 5 in each epoch."""


def write_log(folder: Path) -> Path:
    """Write a log of 90 rows a split, whose items are mostly rare and whose rows have weights."""
    folder.mkdir()
    draws = np.random.default_rng(5)
    for split in ("train", "valid", "test"):
        lines = ["click,buy,weight,item,site,price,user,past"]
        for _ in range(NUM_ROWS):
            item, site = int(draws.integers(300)), int(draws.integers(6))
            click, buy = int(draws.random() < 0.2 + 0.1 * site), int(draws.random() < 0.5)
            past = "|".join(f"i{int(draws.integers(300))}" for _ in range(int(draws.integers(4))))
            cells = (click, buy, f"{draws.random():.2f}", f"i{item}", f"s{site}", f"{draws.random():.3f}")
            lines.append(",".join(map(str, (*cells, f"u{draws.integers(9)}", past))))
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return folder


def log_values(folder: Path, model: dict[str, Any], **training: Any) -> dict[str, Any]:
    """Make settings of a training on the log in ``folder/clicks``, without dropout, as they stand in YAML."""
    protocol = {
        "epochs": 4,
        "batch_size": BATCH_SIZE,
        "learning_rate": 0.01,
        "embedding_l2": 1e-3,
        "embedding_updates": "lazy",
        "patience": 9,
        "baseline": False,
        "device": "cpu",
    }
    return {
        "name": "small",
        "data": {
            "prepared": str(folder / "prepared"),
            "files": {"folder": str(folder / "clicks"), "train": "train.csv", "valid": "valid.csv", "test": "test.csv"},
            "label": "click",
            "fields": [
                {"kind": "categorical", "column": ["item", "site", "user"]},
                {"kind": "numeric", "column": "price"},
                {"kind": "group", "column": "user"},
            ],
        },
        "model": model,
        "training": {name: value for name, value in (protocol | training).items() if value is not None},
    }


def small_recipe(folder: Path, model: dict[str, Any], **training: Any) -> Recipe:
    return recipe_from_values(log_values(folder, model, **training))


@dataclass(frozen=True)
class Taken:
    """The steps of one rank: losses, the rows it had, and the state after them."""

    losses: list[float]
    rows: list[Tensor]
    state: dict[str, Tensor]


class _Recorder(SilentObserver):
    def __init__(self) -> None:
        self.losses: list[float] = []
        self.rows: list[Tensor] = []

    def on_step(self, step: Step) -> None:
        self.losses.append(float(step.loss))
        self.rows.append(step.batch.categorical)


def steps_on_ranks(recipe: Recipe, size: int, *, num_steps: int = NUM_STEPS, double: bool = True) -> list[Taken]:
    """Take the first steps of a training with ``size`` ranks."""
    inputs = RunInputs.of(recipe)

    def work(processes: Processes) -> Taken:
        training = inputs.training(processes)
        if double:
            training.ranker.double()
        recorder = _Recorder()
        epochs = Epochs(training, [recorder], Interruption())
        with closing(epochs.stepper):
            while len(recorder.losses) < num_steps:
                epochs.run(lambda: len(recorder.losses) < num_steps)
                if epochs.is_done:
                    epochs.begin_next()
            epochs.stepper.complete_rows()
            state = {name: tensor.clone() for name, tensor in epochs.stepper.state().items()}
        return Taken(recorder.losses, recorder.rows, state)

    return [work(ALONE)] if size == 1 else on_ranks(size, work)


def assert_replicas(ranks: list[Taken]) -> None:
    """All ranks have the same losses and the same state, bit for bit."""
    for other in ranks[1:]:
        assert other.losses == ranks[0].losses
        assert other.state.keys() == ranks[0].state.keys()
        for name, tensor in other.state.items():
            assert torch.equal(tensor, ranks[0].state[name]), name
