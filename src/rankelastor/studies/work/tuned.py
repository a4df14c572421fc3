"""Tune each recipe of a study with the same budget, and keep a record of the space and of every draw."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rankelastor.progress import ProgressListener
from rankelastor.recipes.load import with_overrides
from rankelastor.storage import whole_file
from rankelastor.studies.plan.grid import Plan, PlannedRun
from rankelastor.studies.plan.settings import Changes, TuningSettings
from rankelastor.studies.work.jobs import carry_out_all
from rankelastor.studies.work.one_tuning import TuningOrder
from rankelastor.studies.work.run_data import prepare_data
from rankelastor.studies.work.study_folder import StudyFolder
from rankelastor.training.interruption import Interruption
from rankelastor.tuning.record import TuneResult
from rankelastor.tuning.space import Space
from rankelastor.tuning.tune import space_of


def tune_recipes(
    plan: Plan,
    home: StudyFolder,
    *,
    jobs: int = 1,
    progress: ProgressListener | None = None,
    interruption: Interruption | None = None,
) -> dict[str, Changes]:
    """Tune the recipes at the first point of the axes, and return what the best trial of each drew.

    A tuning that is done is read again, one that was stopped goes on. The record of all goes to ``tuning.jsonl``. The
    trials of one recipe follow each other, since each draw learns from those before; ``jobs`` recipes are tuned at a
    time.

    Raises:
        SettingsError: optuna is missing, or a space does not go with its recipe.
        RunError: the folder of a tuning holds another one, or no trial had a result.
    """
    settings = plan.study.settings.tuning
    assert settings is not None, "the study asks for it"
    orders = {name: _order(name, settings, plan, home, progress=progress) for name in plan.bases}
    if jobs > 1:
        for _ in carry_out_all(_OneByOne(orders), jobs=min(jobs, len(orders))):
            pass  # what a tuning found, or why it failed, is read from its folder below
    records = [
        _record(name, order, plan, order.result(interruption, progress=progress)) for name, order in orders.items()
    ]
    with whole_file(home.tunings) as file:
        file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return {record["recipe"]: record["best"] for record in records}


class _OneByOne:
    """Hands out the orders of the tunings."""

    def __init__(self, orders: Mapping[str, TuningOrder]) -> None:
        self._waiting: list[tuple[str, TuningOrder]] = list(orders.items())

    def next(self) -> tuple[str, TuningOrder] | None:
        return self._waiting.pop(0) if self._waiting else None


def _order(
    name: str, settings: TuningSettings, plan: Plan, home: StudyFolder, *, progress: ProgressListener | None
) -> TuningOrder:
    """Prepare the data of a recipe, and check the space that is drawn from."""
    run = _first_run(name, plan.runs)
    prepare_data(run, progress)
    recipe = with_overrides(run.recipe, {"name": f"{plan.study.name}-{name}"})
    given = settings.spaces.get(name)
    chosen = Space.read(plan.study.folder / given) if isinstance(given, str) else given
    space = space_of(recipe, chosen, progress=progress)
    return TuningOrder(
        recipe=recipe.given,
        folder=str(home.path / "tuning" / name),
        trials=settings.trials,
        seed=settings.seed,
        space=space.as_dict(),
    )


def _first_run(name: str, runs: Iterable[PlannedRun]) -> PlannedRun:
    return next(run for run in runs if run.point["recipe"] == name)


def _record(name: str, order: TuningOrder, plan: Plan, result: TuneResult) -> dict[str, Any]:
    best = result.best
    return {
        "study": plan.study.name,
        "recipe": name,
        "trials": order.trials,
        "seed": order.seed,
        "space": order.space,
        "draws": [trial.as_dict() for trial in result.trials],
        "best": Space.of(order.space).overrides(best.drawn),
        "best_recipe": f"tuning/{name}/best.yaml",
    }
