"""Tune a recipe: train it with settings that optuna draws, and keep those that the valid split likes best."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from rankelastor.ensembles.make import make_ensemble
from rankelastor.errors import SettingsError
from rankelastor.extras import how_to_install
from rankelastor.progress import ProgressListener
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.ensemble_folder import member_folders
from rankelastor.training.inputs import RunInputs
from rankelastor.training.interruption import Interruption
from rankelastor.training.observers import TrainingObserver
from rankelastor.tuning.default_space import default_space
from rankelastor.tuning.record import TrialRecord, TuneResult, ranked
from rankelastor.tuning.space import Space, paths_of
from rankelastor.tuning.trial import run_trial
from rankelastor.tuning.tune_folder import TuneFolder, identity_of

KEPT_RUNS = 5
"""Best trials whose run folders are kept."""
_MOST_MISFITS = 5
_OF_TRIALS = {"training.baseline": False, "training.calibration.kind": "none"}
"""What a trial leaves out: it is asked for its valid metrics alone, and of an ensemble the mean is calibrated."""
_LEAST_AVERAGED = 2


class TuneListener(Protocol):
    """What hears of the trials."""

    def observers(self, index: int) -> Sequence[TrainingObserver]:
        """Return the observers of the training of a trial."""

    def on_trial(self, record: TrialRecord, best: TrialRecord | None) -> None:
        """Hear of a trial that is over, and of the best one so far."""


def tune(
    recipe: Recipe,
    *,
    trials: int = 20,
    folder: str | Path | None = None,
    space: Space | Mapping[str, Any] | str | Path | None = None,
    seed: int = 1,
    average: int = 0,
    listener: TuneListener | None = None,
    progress: ProgressListener | None = None,
    interruption: Interruption | None = None,
) -> TuneResult:
    """Train a recipe with drawn settings and compare them by the recipe's monitor on the valid split.

    The first trial is the recipe as it stands; further ones are drawn by optuna's tree-structured Parzen estimator, and
    one that is worse than the median of those before is stopped early. The test split is never scored. A folder that
    holds a tuning of the same recipe, space and seed is gone on with, so that a larger ``trials`` adds some.

    Args:
        recipe: data, model and training.
        trials: number of trials in all, the recipe as it stands included.
        folder: folder of the tuning; None selects ``tune/<name of the recipe>``.
        space: what is drawn, or a YAML file of it; None chooses by the recipe, see ``default_space``.
        seed: seed of the draws; the trials are trained with the seed of the recipe.
        average: number of best trials of which an ensemble is made in the end, see ``make_ensemble``; its run folder is
            ``average-K`` in that of the tuning, and its test split is scored. 0 makes none.
        listener: hears of the trials.
        progress: receives the progress of preparation and scoring.
        interruption: hands requests to stop to the training, which saves its state before it raises them.

    Example:
        >>> from rankelastor import load_recipe, tune
        >>> # tune(load_recipe("recipe.yaml"), trials=8).best.metrics["auc"]

    Raises:
        SettingsError: optuna is missing, the space does not go with the recipe, or nothing drawn fits the data.
        RunError: the folder holds something else, or no trial had a result.
    """
    if find_spec("optuna") is None:
        raise SettingsError(f"optuna must be installed to tune, but it is not; try {how_to_install('tune')}")
    from rankelastor.tuning.journal import Journal  # noqa: PLC0415 - optuna is optional

    if trials < 1:
        raise SettingsError(f"trials must be at least 1, but {trials} was given")
    if average and not _LEAST_AVERAGED <= average <= min(trials, KEPT_RUNS):
        most = min(trials, KEPT_RUNS)
        raise SettingsError(
            f"average must be at least {_LEAST_AVERAGED} and at most {most}, the number of trials and of runs "
            f"that are kept, but {average} was given"
        )
    inputs = RunInputs.of(recipe, progress=progress)
    base = with_overrides(inputs.recipe, _OF_TRIALS)
    drawn_from = _checked_space(space, inputs)
    home = TuneFolder(folder or Path("tune") / recipe.name)
    identity = identity_of(base, drawn_from, seed=seed, fingerprint=inputs.dataset.fingerprint)
    with home.opened(identity):
        journal = Journal(home.journal, drawn_from, seed=seed)
        while len(journal.records) < trials:
            index = len(journal.records)
            trial = journal.ask(fixed=None if index else _as_it_stands(base, drawn_from))
            record = run_trial(
                trial,
                with_overrides(base, drawn_from.overrides(trial.drawn)),
                home.trial(index),
                observers=[] if listener is None else listener.observers(index),
                progress=progress,
                interruption=interruption,
            )
            best = ranked(journal.records)
            home.keep_runs([each.index for each in best[:KEPT_RUNS]])
            if listener is not None:
                listener.on_trial(record, best[0] if best else None)
            _require_fits(journal.records, drawn_from)
        result = _result(home, inputs.recipe, drawn_from, journal.records)
        if average:
            _make_average(home, result, average, inputs, progress=progress)
        return result


def space_of(
    recipe: Recipe,
    space: Space | Mapping[str, Any] | str | Path | None = None,
    *,
    progress: ProgressListener | None = None,
) -> Space:
    """Return the space that ``tune`` would draw from, after checking that it goes with the recipe.

    Raises:
        SettingsError: it does not.
    """
    return _checked_space(space, RunInputs.of(recipe, progress=progress))


def _checked_space(space: Space | Mapping[str, Any] | str | Path | None, inputs: RunInputs) -> Space:
    if space is None:
        space = default_space(inputs.recipe, inputs.dataset.schema)
    elif isinstance(space, Mapping):
        space = Space.of(space)
    elif not isinstance(space, Space):
        space = Space.read(space)
    space.check(inputs.recipe)
    return space


def _as_it_stands(recipe: Recipe, space: Space) -> dict[str, Any]:
    """Look up the value that the recipe has for each draw, where all its settings have the same."""
    values = recipe.model_dump(mode="json")
    found = {name: [_look_up(values, path) for path in paths_of(name)] for name in space.draws}
    return {name: each[0] for name, each in found.items() if all(value == each[0] for value in each)}


def _look_up(values: Any, path: str) -> Any:
    step: Callable[[Any, str], Any] = lambda place, key: place.get(key) if isinstance(place, dict) else None  # noqa: E731
    return reduce(step, path.split("."), values)


def _require_fits(records: Sequence[TrialRecord], space: Space) -> None:
    """Raise if the recipe or everything that was drawn does not fit the data."""
    misfits = [record for record in records if record.state == "does not fit"]
    if len(misfits) >= _MOST_MISFITS and len(misfits) >= len(records) - 1:
        raise SettingsError(
            f"{space.source} must draw settings that fit the data, but none of the {len(misfits)} that were drawn did: "
            f"{misfits[-1].reason}"
        )


def _result(home: TuneFolder, recipe: Recipe, space: Space, records: tuple[TrialRecord, ...]) -> TuneResult:
    best = ranked(records)
    if not best:
        raise SettingsError(
            f"a tuning must have a trial with a result, but none of {len(records)} had: {records[0].reason}"
        )
    tuned = with_overrides(recipe, space.overrides(best[0].drawn) | {"name": f"{recipe.name}-tuned"})
    first = records[0]
    was = "" if first.value is None else f"The recipe as it stood got {_figures(first)}. "
    home.write_best(tuned, best[0], reasons=f"{was}Best of {len(records)} trials; the test split was not looked at.")
    return TuneResult(home.path, records, tuned)


def _make_average(
    home: TuneFolder, result: TuneResult, number: int, inputs: RunInputs, *, progress: ProgressListener | None
) -> None:
    """Make the ensemble of the best trials, unless it is there."""
    best = ranked(result.trials)[:number]
    if len(best) < number:
        raise SettingsError(
            f"average must be at most the number of trials that finished, which is {len(best)}, but {number} was given"
        )
    runs = [home.trial(record.index) for record in best]
    target = home.average(number)
    if target.exists():
        if [path.name for path in member_folders(target)] == [path.name for path in runs]:
            return
        shutil.rmtree(target)  # further trials have changed which are the best
    make_ensemble(
        runs,
        target,
        calibration=inputs.recipe.training.calibration.kind,
        prepared=inputs.dataset.place,
        progress=progress,
    )


def _figures(record: TrialRecord) -> str:
    return ", ".join(f"{name} {record.metrics[name]:.6f}" for name in ("auc", "logloss") if name in record.metrics)
