"""Runs that are stopped between two steps and go on, held against runs that were never stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.observers import SilentObserver, Step, TrainingObserver
from rankelastor.training.run import train

TIMES = {"seconds", "examples_per_second", "data_wait_share", "speed"}
EVERY_STEP = {"training.checkpoint.every_steps": 1}


class KilledError(BaseException):
    """Stands for a process that ends at once: nothing is saved when it is raised."""


class Kill(SilentObserver):
    """An observer that ends the training in a step, before the checkpoint of that step."""

    def __init__(self, at: int) -> None:
        self._at = at
        self.steps: list[int] = []

    def on_step(self, step: Step) -> None:
        self.steps.append(step.index)
        if step.index == self._at:
            raise KilledError


def stop_and_go_on(
    recipe: Recipe, folder: Path, *, at: Sequence[int], observers: Sequence[TrainingObserver] = ()
) -> list[int]:
    """Train with a checkpoint every step, killed at these steps; return the steps that the last part took."""
    recipe = with_overrides(recipe, EVERY_STEP)
    for step in at:
        with pytest.raises(KilledError):
            train(recipe, folder=folder, observers=[*observers, Kill(step)])
    last = Kill(0)
    train(recipe, folder=folder, observers=[*observers, last])
    return last.steps


def without_times(values: Any) -> Any:
    """Leave out times of plain values, at any depth."""
    if isinstance(values, list):
        return [without_times(value) for value in values]
    if isinstance(values, dict):
        return {key: without_times(value) for key, value in values.items() if key not in TIMES}
    return values


def contents(folder: Path) -> dict[str, Any]:
    """Read all that a run gives, but for times."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    others = {name: folder / name for name in ("spectrum/samples.jsonl", "calibration.json")}
    return {
        "metrics": [without_times(line) for line in lines],
        "result": without_times(json.loads((folder / "result.json").read_text())),
        **{name: path.read_text() if path.exists() else None for name, path in others.items()},
    }


def assert_same(first: Path, second: Path) -> None:
    """Both runs have the same weights, bit for bit, the same evaluations, samples, calibrations and results."""
    one, two = (load_file(folder / "checkpoints" / "best.safetensors") for folder in (first, second))
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, two[name]), name
    assert contents(first) == contents(second)
