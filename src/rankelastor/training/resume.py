"""Decide whether a training starts anew, goes on, or is refused, by what lies in its run folder."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rankelastor.errors import RUN_FOLDER, RunError
from rankelastor.folder_lock import try_to_hold
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.checkpoints import Checkpoint, list_checkpoints, read_checkpoint
from rankelastor.runs.run_folder import RunFolder
from rankelastor.training.differences import differences, listed, value_differences
from rankelastor.training.predecessor import Predecessor

logger = logging.getLogger(__name__)

_EPOCHS = "training.epochs"
_PATIENCE_SECONDS = 0.5
"""How long to wait for a lock that a look at the folder may hold for a moment."""


@dataclass(frozen=True)
class OpenedRun:
    """A run folder that this process alone writes.

    Attributes:
        folder: the run folder.
        checkpoint: the state to go on from; None starts anew.
    """

    folder: RunFolder
    checkpoint: Checkpoint | None


@contextmanager
def open_run(path: Path, recipe: Recipe, *, resume: bool) -> Iterator[OpenedRun]:
    """Make a run folder, or open the one that holds an unfinished run of the same settings, and lock it.

    Args:
        path: the run folder.
        recipe: the settings.
        resume: whether a run must be there; it may then be a finished one, if ``training.epochs`` is larger now.

    Raises:
        RunError: there is no run to resume, the folder holds something else or a run of other settings, all its
            checkpoints are damaged, or another process trains in it.
    """
    if not _is_new(path):
        with _held(path):
            yield _open_existing(RunFolder(path), recipe, resume=resume)
        return
    if resume:
        raise RunError(f"a run that is resumed must exist, but {path} does not; train without resuming")
    _remove_leftovers(path)
    run = RunFolder.create(path, recipe)
    with _held(path):
        yield OpenedRun(run, None)


def _open_existing(run: RunFolder, recipe: Recipe, *, resume: bool) -> OpenedRun:
    if not (run.path / "config.yaml").is_file():
        raise _not_new(run, "")
    RunFolder.open(run.path)
    stored = run.recipe()
    found = differences(stored, recipe)
    more_epochs = recipe.training.epochs > stored.training.epochs
    if resume and more_epochs and not _falls_over_all_epochs(recipe):
        found.pop(_EPOCHS, None)
    if run.has_result and not (resume and more_epochs and not found):
        raise _finished(run, found, resume=resume)
    if found:
        what = f" and holds an unfinished run of other settings: {listed(found)}"
        raise _refused(run, found) if resume else _not_new(run, what)
    checkpoint = _newest_whole(run)
    if checkpoint is None:
        if run.has_result or (run.best_weights.is_file() and not run.is_resumable):
            raise _not_new(run, " and its run has no checkpoint to go on from")
        logger.warning("%s holds a run of these settings that stopped before its first checkpoint: starting over", run)
        run.clear()
        run.write_recipe(recipe)
        return OpenedRun(run, None)
    logger.warning("%s holds an unfinished run of these settings: going on after step %d", run, checkpoint.step)
    return OpenedRun(run, checkpoint)


def _falls_over_all_epochs(recipe: Recipe) -> bool:
    """Tell whether more epochs would change the learning rate of those that are done."""
    schedule = recipe.training.schedule
    return schedule.kind == "cosine" and schedule.epochs is None


def check_identity(checkpoint: Checkpoint, recipe: Recipe, data_fingerprint: str) -> None:
    """Check that a checkpoint belongs to these settings and these data.

    Raises:
        RunError: it does not; the message names what differs.
    """
    identity: Mapping[str, Any] = checkpoint.values.get("identity", {})
    stored = _with_later_settings(identity.get("recipe", {}))
    found = value_differences(stored, recipe.model_dump(mode="json"))
    found.pop(_EPOCHS, None)
    if found:
        raise RunError(
            f"a checkpoint must belong to the settings of its run, but {checkpoint.path} does not: {listed(found)}; "
            "remove it, so that an older one is taken"
        )
    if identity.get("data_fingerprint") != data_fingerprint:
        raise RunError(
            f"a run must be resumed with the data that it began with, but they have changed since "
            f"{checkpoint.path} was written; restore the former files and prepare them again, or train anew with "
            f"{RUN_FOLDER}",
            python=RUN_FOLDER,
        )


def check_predecessor(checkpoint: Checkpoint, predecessor: Predecessor | None) -> None:
    """Check that a run that goes on began from the run that is named now.

    Raises:
        RunError: it began from another one, or anew.
    """
    began = checkpoint.values.get("identity", {}).get("started_from")
    now = None if predecessor is None else predecessor.digest
    if began != now:
        where = ("anew" if each is None else f"from a run with weights {each[:8]}" for each in (began, now))
        raise RunError(
            "a run must be resumed as it began, but {} began {} and is to go on as one {}; name the same run to "
            "start from, or train anew with {}".format(checkpoint.path, *where, RUN_FOLDER),
            python=RUN_FOLDER,
        )


def _with_later_settings(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add the settings that were added since a checkpoint was written, with the values that change nothing."""
    try:
        return Recipe.model_validate(dict(stored)).model_dump(mode="json")
    except ValidationError:  # it is compared as it stands
        return stored


def _newest_whole(run: RunFolder) -> Checkpoint | None:
    """Read the newest whole checkpoint; damaged ones that are newer are removed, so that none is taken for the newest.

    Raises:
        RunError: there are checkpoints, and all are damaged.
    """
    found = list_checkpoints(run.checkpoints)
    damaged = []
    for path in found:
        try:
            checkpoint = read_checkpoint(path)
        except RunError as error:
            logger.warning("%s", error)
            damaged.append(path)
            continue
        for other in damaged:
            shutil.rmtree(other, ignore_errors=True)
        return checkpoint
    if damaged:
        raise RunError(
            f"a run that is resumed must have a whole checkpoint, but all {len(damaged)} in {run.checkpoints} are "
            "damaged; remove them to start over"
        )
    return None


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold the lock of a run folder.

    Raises:
        RunError: another process holds it.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    while (holder := try_to_hold(path)) is None:
        if time.monotonic() > until:
            raise RunError(
                f"one process at a time must train in a run folder, but another one trains in {path}; wait until it "
                f"is done, or name another with {RUN_FOLDER}",
                python=RUN_FOLDER,
            )
        time.sleep(0.02)
    try:
        yield
    finally:
        os.close(holder)


def _is_new(path: Path) -> bool:
    """Whether nothing is there, or only what a process leaves that is killed while it makes the folder."""
    if path.is_dir() and not path.is_symlink():
        names = [item.name for item in path.iterdir()]
        return all(name.startswith(".config.yaml.") and name.endswith(".partial") for name in names)
    return not path.exists()


def _remove_leftovers(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)


def _not_new(run: RunFolder, what: str) -> RunError:
    return RunError(
        f"a run folder must be new, but {run} exists{what}; remove it, or name another with {RUN_FOLDER}",
        python=RUN_FOLDER,
    )


def _refused(run: RunFolder, found: Mapping[str, str]) -> RunError:
    advice = "try the same settings, or train anew with " + RUN_FOLDER
    if found.keys() == {_EPOCHS} and _falls_over_all_epochs(run.recipe()):
        advice = f"training.schedule falls over training.epochs, which must stay; {advice}"
    elif found.keys() == {_EPOCHS}:
        advice = f"training.epochs may only grow; {advice}"
    return RunError(
        f"a run must be resumed with its own settings, but for {run} {listed(found)}; {advice}", python=RUN_FOLDER
    )


def _finished(run: RunFolder, found: Mapping[str, str], *, resume: bool) -> RunError:
    if not resume:
        return _not_new(run, "")
    if found:
        return _refused(run, found)
    return RunError(
        f"a run that is resumed must be unfinished, but {run} has finished; give a larger training.epochs to go on, or "
        f"train anew with {RUN_FOLDER}",
        python=RUN_FOLDER,
    )
