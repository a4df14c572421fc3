"""Train an ensemble: runs of one recipe with several seeds, as one run."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rankelastor.data.prepared import copy_feature_state
from rankelastor.data.used_by import User, add_user
from rankelastor.ensembles.finish import finish_ensemble
from rankelastor.ensembles.member_events import MemberListener, SilentListener
from rankelastor.ensembles.processes import share_machine
from rankelastor.ensembles.side_by_side import train_members
from rankelastor.errors import RUN_FOLDER, RunError, SettingsError
from rankelastor.execution.cores import borrowed_cores
from rankelastor.folder_lock import try_to_hold
from rankelastor.progress import ProgressListener
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.ensemble_folder import MEMBERS, is_ensemble, member_folders, write_members
from rankelastor.runs.environment import describe_environment
from rankelastor.runs.run_folder import RunFolder, default_run_folder
from rankelastor.storage import explain_storage_errors
from rankelastor.training.differences import differences
from rankelastor.training.evaluation_line import evaluation_line
from rankelastor.training.inputs import RunInputs
from rankelastor.training.interruption import Interruption
from rankelastor.training.observers import Evaluation
from rankelastor.training.run import TrainedRun
from rankelastor.training.run_alarms import early_alarms
from rankelastor.training.train_log import TrainLog

_logger = logging.getLogger(__name__)
_OF_MEMBERS = {"training.calibration.kind": "none", "training.baseline": False}
"""What the ensemble does once, and no member: the mean of the logits is calibrated, never a member."""
_EXECUTION = "training.execution."


def train_ensemble(
    recipe: Recipe,
    *,
    seeds: int | Sequence[int] = 3,
    folder: str | Path | None = None,
    num_processes: int | None = None,
    listener: MemberListener | None = None,
    progress: ProgressListener | None = None,
    interruption: Interruption | None = None,
) -> TrainedRun:
    """Train the recipe's ranker with several seeds, and make one run of them: the mean of their logits, calibrated.

    Each member is a run of its own in ``members/seed-S`` of the run folder. A folder that holds an unfinished ensemble
    of the same recipe and seeds is gone on with: members that have finished stay as they are, one that was stopped goes
    on from its last checkpoint.

    Args:
        recipe: data, model and training.
        seeds: the seeds, or their number, counted from ``training.seed`` on.
        folder: the run folder; None selects ``runs/<name of the recipe>``.
        num_processes: how many members are trained at a time; None goes by cores and memory.
        listener: receives the progress of the members.
        progress: receives the progress of preparation and scoring.
        interruption: hands requests to stop to a training in this process.

    Example:
        >>> from rankelastor import load_recipe, train_ensemble
        >>> # train_ensemble(load_recipe("recipe.yaml"), seeds=3).result.test["auc"]

    Raises:
        RunError: the folder holds something else, or the training of a member failed.
        StalePreparedError: the prepared folder was made from other settings or sources.
        SettingsError: there are fewer than two seeds, one is given twice, or a setting does not fit.
    """
    began = time.perf_counter()
    chosen = _seeds(recipe, seeds)
    with TrainLog() as log:
        with borrowed_cores(recipe.training.execution.threads):
            inputs = RunInputs.of(recipe, progress=progress)
            recipe = inputs.recipe  # with all that was chosen for the data
            alarms = early_alarms(inputs)
            sharing = share_machine(
                len(chosen),
                device=inputs.device,
                num_threads=recipe.training.execution.threads,
                bytes_of_each=inputs.memory.total,
                num_processes=num_processes,
            )
        path = Path(folder or default_run_folder(recipe))
        names = [f"seed-{seed}" for seed in chosen]
        with _ensemble_folder(path, recipe, names) as run:
            log.open(run.train_log)
            _write_inputs(run, inputs)
            recipes = {
                run.path / MEMBERS / name: _member(recipe, seed, sharing.num_threads)
                for name, seed in zip(names, chosen, strict=True)
            }
            done = [member for member in recipes if RunFolder(member).has_result]
            log.say(f"{len(chosen)} members, {len(done)} done, {sharing.num_processes} at a time")
            train_members(
                _missing(recipes),
                num_processes=sharing.num_processes,
                listeners=[_Log(log), listener or SilentListener()],
                interruption=interruption,
            )
            before = sum(RunFolder(member).result().seconds for member in done)
            trained = finish_ensemble(
                run.path, began=began - before, say=log.say, early_alarms=alarms, progress=progress
            )
            log.say(f"finished: {trained.result.summary}")
    return trained


def _seeds(recipe: Recipe, seeds: int | Sequence[int]) -> tuple[int, ...]:
    first = recipe.training.seed
    chosen = tuple(range(first, first + seeds)) if isinstance(seeds, int) else tuple(seeds)
    if len(chosen) < 2:  # noqa: PLR2004
        raise SettingsError(f"an ensemble must have at least 2 seeds, but {len(chosen)} was given; try seeds=3")
    if len(set(chosen)) < len(chosen):
        raise SettingsError(f"the seeds of an ensemble must differ, but {list(chosen)} were given")
    return chosen


def _member(recipe: Recipe, seed: int, num_threads: int | None) -> Recipe:
    return with_overrides(recipe, {"training.seed": seed, "training.execution.threads": num_threads, **_OF_MEMBERS})


def _missing(recipes: Mapping[Path, Recipe]) -> dict[Path, Recipe]:
    """Choose the members that have not finished; one that has begun goes on with as many threads as before."""
    missing = {folder: recipe for folder, recipe in recipes.items() if not RunFolder(folder).has_result}
    for folder, recipe in missing.items():
        if (folder / "config.yaml").is_file():
            threads = RunFolder(folder).recipe().training.execution.threads
            missing[folder] = with_overrides(recipe, {"training.execution.threads": threads})
    return missing


@contextmanager
def _ensemble_folder(path: Path, recipe: Recipe, names: Sequence[str]) -> Iterator[RunFolder]:
    """Make the folder of an ensemble, or open an unfinished one of the same recipe and members.

    It is removed if no member has begun when the work is stopped.
    """
    if is_ensemble(path):
        run = _same_ensemble(path, recipe, names)
    else:
        run = RunFolder.create(path, recipe)
        write_members(run.path, names)
    holder = try_to_hold(path)
    if holder is None:
        raise RunError(f"one process at a time must train an ensemble, but another one trains {path}; wait for its end")
    try:
        yield run
    except BaseException:
        if any(member.exists() for member in member_folders(path)):
            _logger.warning("%s keeps the members that have begun; train again to go on", path)
        else:
            run.remove()
        raise
    finally:
        os.close(holder)


def _same_ensemble(path: Path, recipe: Recipe, names: Sequence[str]) -> RunFolder:
    run = RunFolder.open(path)
    what = None
    if run.has_result:
        what = "holds a finished ensemble"
    elif [member.name for member in member_folders(path)] != list(names):
        what = f"holds an unfinished ensemble of {', '.join(member.name for member in member_folders(path))}"
    elif found := _differences(run.recipe(), recipe):
        what = f"holds an unfinished ensemble of other settings: {found}"
    if what is not None:
        raise RunError(
            f"a run folder must be new, but {path} {what}; remove it, or name another with {RUN_FOLDER}",
            python=RUN_FOLDER,
        )
    _logger.warning("%s holds an unfinished ensemble of this recipe: going on with the members that are missing", path)
    return run


def _differences(stored: Recipe, given: Recipe) -> str:
    """Say in which settings recipes differ, apart from how they are computed."""
    found = differences(stored, given)
    return "; ".join(text for path, text in found.items() if not path.startswith(_EXECUTION))


def _write_inputs(run: RunFolder, inputs: RunInputs) -> None:
    """Copy the vocabularies, write the environment, and note who uses the data."""
    if not run.features.exists():
        with explain_storage_errors(run.features):
            copy_feature_state(inputs.dataset.place, run.features)
    run.write_environment(
        {
            **describe_environment(inputs.device),
            "precision": inputs.precision,
            "seed": inputs.recipe.training.seed,
            "data_fingerprint": inputs.dataset.fingerprint,
            "prepared": str(inputs.dataset.place.resolve()),
        }
    )
    add_user(inputs.dataset.place, User.of_run(run.path))


class _Log(SilentListener):
    """Listener that writes the evaluations of all members to the log of the ensemble."""

    def __init__(self, log: TrainLog) -> None:
        self._log = log
        self._sizes: dict[str, tuple[int, int]] = {}

    def on_start(self, member: str, *, num_epochs: int, num_examples: int) -> None:
        self._sizes[member] = num_epochs, num_examples

    def on_evaluation(self, member: str, evaluation: Evaluation) -> None:
        num_epochs, num_examples = self._sizes[member]
        self._log.say(f"{member}  {evaluation_line(evaluation, num_epochs=num_epochs, num_examples=num_examples)}")

    def on_end(self, member: str) -> None:
        self._log.say(f"{member}  finished")
