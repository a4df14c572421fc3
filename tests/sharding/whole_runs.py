"""Whole runs whose rows are sharded, in each of several processes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.sharding.table_steps import compare
from tests.sharding.trained_steps import sharded_values, take_steps

from rankelastor.collectives.process_group import GroupProcesses
from rankelastor.collectives.processes import Processes
from rankelastor.profiling.profile import profile
from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.distributed.follow import follow
from rankelastor.training.distributed.sharing import interruption_of
from rankelastor.training.interruption import Interruption
from rankelastor.training.observers import SilentObserver, Step
from rankelastor.training.run import train

STOP_AFTER = 9
"""The third step of the second epoch."""


def recipe_of(folder: Path, plan: str, dim: int = 6) -> Recipe:
    return recipe_from_values(sharded_values(folder, plan, dim=dim, epochs=3, checkpoint={"every_steps": 4}))


class Losses(SilentObserver):
    """Keeps the loss of each step, and asks to stop in one."""

    def __init__(self, interruption: Interruption, *, stop_in: int | None) -> None:
        self._interruption = interruption
        self._stop_in = stop_in
        self.found: dict[int, float] = {}

    def on_step(self, step: Step) -> None:
        self.found[step.index] = float(step.loss)
        if step.index == self._stop_in:
            self._interruption.request(KeyboardInterrupt())


def take_part(  # noqa: PLR0917 - values for JSON
    processes: Processes, folder: str, plan: str, run: str, stop: bool, dim: int = 6
) -> dict[int, float]:
    """Do what the command line does in one of several processes; return the losses of the steps, in the first."""
    interruption, recipe = interruption_of(processes), recipe_of(Path(folder), plan, dim)
    asks_in = STOP_AFTER - (processes.world.size > 1)  # several hear of it in the next step
    losses = Losses(interruption, stop_in=asks_in if stop else None)
    try:
        if processes.world.is_first:
            train(recipe, folder=run, processes=processes, interruption=interruption, observers=[losses])
        else:
            follow(recipe, processes=processes, interruption=interruption)
    except KeyboardInterrupt:
        if not stop:
            raise
    return losses.found


def stop_and_go_on(processes: Processes, folder: str, plan: str) -> dict[int, float]:
    """Stop a run in the middle of an epoch, keep a copy of it, and go on to its end; return the losses of all steps."""
    run = Path(folder) / f"run-{plan}"
    first = take_part(processes, folder, plan, str(run), stop=True)
    if processes.world.is_first:
        shutil.copytree(run, Path(folder) / f"stopped-{plan}")
    return first | take_part(processes, folder, plan, str(run), stop=False)


def all_at_once(
    processes: GroupProcesses, folder: str, cases: Sequence[Any], plans: Sequence[tuple[str, int]]
) -> dict[str, Any]:
    """Do in one call of processes what tests look at."""
    steps = [take_steps(processes, folder, plan, dim) for plan, dim in plans]
    losses = stop_and_go_on(processes, folder, plans[0][0])
    profiled = profile(recipe_of(Path(folder), plans[0][0]), num_steps=1, num_warmup=0, processes=processes)
    return {
        "tables": compare(processes, cases),
        "steps": steps,
        "losses": list(losses.values()),
        "stages": [stage.stage for stage in profiled.stages],
        "sent": dict(profiled.bytes_per_step),
    }
