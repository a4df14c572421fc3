"""Tune each recipe of a study with the same budget, and keep a record of the space and of every draw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rankelastor.data.planted.write import TRUTH_FILE, write_planted_log
from rankelastor.data.prepare import open_or_prepare
from rankelastor.progress import ProgressListener
from rankelastor.recipes.load import with_overrides
from rankelastor.storage import whole_file
from rankelastor.studies.plan.grid import Plan, PlannedRun
from rankelastor.studies.plan.settings import Changes, TuningSettings
from rankelastor.studies.work.study_folder import StudyFolder
from rankelastor.training.interruption import Interruption
from rankelastor.tuning.space import Space
from rankelastor.tuning.tune import space_of, tune


def tune_recipes(
    plan: Plan,
    home: StudyFolder,
    *,
    progress: ProgressListener | None = None,
    interruption: Interruption | None = None,
) -> dict[str, Changes]:
    """Tune the recipes one after the other at the first point of the axes, and return what the best trial of each drew.

    A tuning that is done is read again, one that was stopped goes on. The record of all goes to ``tuning.jsonl``.

    Raises:
        SettingsError: optuna is missing, or a space does not go with its recipe.
        RunError: the folder of a tuning holds another one, or no trial had a result.
    """
    settings = plan.study.settings.tuning
    assert settings is not None, "the study asks for it"
    found: dict[str, Changes] = {}
    records = []
    for name in plan.bases:
        run = next(run for run in plan.runs if run.point["recipe"] == name)
        record = _tuned(run, name, settings, plan, home, progress=progress, interruption=interruption)
        records.append(record)
        found[name] = record["best"]
    with whole_file(home.tunings) as file:
        file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return found


def _tuned(
    run: PlannedRun,
    name: str,
    settings: TuningSettings,
    plan: Plan,
    home: StudyFolder,
    *,
    progress: ProgressListener | None,
    interruption: Interruption | None,
) -> dict[str, Any]:
    if run.log is not None and run.log_folder is not None and not (run.log_folder / TRUTH_FILE).is_file():
        write_planted_log(run.log_folder, run.log)
    open_or_prepare(run.recipe.data, progress=progress)
    recipe = with_overrides(run.recipe, {"name": f"{plan.study.name}-{name}"})
    given = settings.spaces.get(name)
    space: Space | Mapping[str, Any] | str | None = given
    if isinstance(given, str):
        space = Space.read(plan.study.folder / given)
    space = space_of(recipe, space, progress=progress)
    result = tune(
        recipe,
        trials=settings.trials,
        folder=home.path / "tuning" / name,
        space=space,
        seed=settings.seed,
        progress=progress,
        interruption=interruption,
    )
    best = result.best
    return {
        "study": plan.study.name,
        "recipe": name,
        "trials": settings.trials,
        "seed": settings.seed,
        "space": space.as_dict(),
        "draws": [trial.as_dict() for trial in result.trials],
        "best": space.overrides(best.drawn),
        "best_recipe": f"tuning/{name}/best.yaml",
    }
