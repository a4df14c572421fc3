"""Whole runs whose rows are sharded, in each of several processes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.sharding.table_steps import compare
from tests.sharding.trained_steps import sharded_values, take_steps

from rankelastor.collectives.processes import Processes
from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.distributed.follow import follow
from rankelastor.training.distributed.stopping_together import SharedInterruption
from rankelastor.training.observers import SilentObserver, Step
from rankelastor.training.run import train

STOP_AFTER = 9
"""The third step of the second epoch."""


def recipe_of(folder: Path, plan: str) -> Recipe:
    return recipe_from_values(sharded_values(folder, plan, epochs=3, checkpoint={"every_steps": 4}))


class Stop(SilentObserver):
    """Asks to stop after a step."""

    def __init__(self, interruption: SharedInterruption) -> None:
        self._interruption = interruption

    def on_step(self, step: Step) -> None:
        if step.index == STOP_AFTER - 1:  # all hear of it in the next step
            self._interruption.request(KeyboardInterrupt())


def take_part(processes: Processes, recipe: Recipe, run: Path, *, stop: bool = False) -> None:
    """Do what the command line does in one of several processes."""
    interruption = SharedInterruption()
    try:
        if processes.world.is_first:
            observers = [Stop(interruption)] if stop else []
            train(recipe, folder=run, processes=processes, interruption=interruption, observers=observers)
        else:
            follow(recipe, processes=processes, interruption=interruption)
    except KeyboardInterrupt:
        if not stop:
            raise


def stop_and_go_on(processes: Any, folder: str, plan: str) -> None:
    """Stop a run in the middle of an epoch, keep a copy of it, and go on to its end."""
    recipe, run = recipe_of(Path(folder), plan), Path(folder) / f"run-{plan}"
    take_part(processes, recipe, run, stop=True)
    if processes.world.is_first:
        shutil.copytree(run, Path(folder) / f"stopped-{plan}")
    take_part(processes, recipe, run)


def go_on(processes: Any, folder: str, plan: str, run: str) -> None:
    """Go on with a run to its end."""
    take_part(processes, recipe_of(Path(folder), plan), Path(run))


def all_at_once(processes: Any, folder: str, cases: Sequence[Any], plans: list[str]) -> dict[str, Any]:
    """Do in one start of processes what tests look at."""
    found = {"tables": compare(processes, cases), "steps": [take_steps(processes, folder, plan) for plan in plans]}
    stop_and_go_on(processes, folder, plans[0])
    return found
