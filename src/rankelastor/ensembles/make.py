"""Make an ensemble of runs that are finished."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from rankelastor.config.calibration import CalibrationKind
from rankelastor.data.prepared import copy_feature_state
from rankelastor.data.used_by import User, add_user
from rankelastor.ensembles.finish import finish_ensemble
from rankelastor.errors import RUN_FOLDER, RunError, SettingsError
from rankelastor.progress import ProgressListener
from rankelastor.recipes.load import with_overrides
from rankelastor.remote.remote_path import AnyPath
from rankelastor.runs.ensemble_folder import MEMBERS, is_ensemble, write_members
from rankelastor.runs.environment import describe_environment
from rankelastor.runs.load import LoadedRun, check_same_data, load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.storage import whole_folder
from rankelastor.training.run import TrainedRun
from rankelastor.training.train_log import TrainLog


def make_ensemble(
    runs: Sequence[str | Path],
    folder: str | Path,
    *,
    calibration: CalibrationKind | None = None,
    prepared: str | AnyPath | None = None,
    progress: ProgressListener | None = None,
) -> TrainedRun:
    """Copy finished runs into the folder of an ensemble: one run whose logits are the mean of theirs, calibrated.

    The runs may differ in everything but the data: in seed, settings and model. Their own calibrations, if they have
    any, do not count in the mean.

    Args:
        runs: two run folders or more.
        folder: the run folder of the ensemble, which must not exist.
        calibration: calibration of the mean, see ``training.calibration``; None takes that of the first run.
        prepared: the prepared folder, if it was moved; see ``LoadedRun.dataset``.
        progress: receives the progress of the scoring.

    Example:
        >>> from rankelastor import make_ensemble
        >>> # make_ensemble(["runs/rankmixer", "runs/rankelastor"], "runs/both").result.test["auc"]

    Raises:
        RunError: the folder exists, a run is an ensemble or has not finished, or runs stand on different data.
        SettingsError: fewer than two runs are given, or one is given twice.
    """
    began = time.perf_counter()
    target = Path(folder)
    members = _members(runs)
    if target.exists():
        raise RunError(
            f"a run folder must be new, but {target} exists; remove it, or name another with {RUN_FOLDER}",
            python=RUN_FOLDER,
        )
    first = members[0]
    dataset = first.dataset(prepared)
    kind = calibration or first.recipe.training.calibration.kind
    recipe = with_overrides(first.recipe, {"training.calibration.kind": kind, "data.prepared": str(dataset.place)})
    with whole_folder(target) as temporary:
        run = RunFolder(temporary)
        run.write_recipe(recipe)
        names = _distinct_names([member.folder for member in members])
        for name, member in zip(names, members, strict=True):
            shutil.copytree(member.folder, temporary / MEMBERS / name)
        write_members(temporary, names)
        copy_feature_state(dataset.place, run.features)
        device = next(first.ranker.parameters()).device
        run.write_environment(
            {
                **describe_environment(device),
                "seed": recipe.training.seed,
                "data_fingerprint": dataset.fingerprint,
                "prepared": str(dataset.place.resolve()),
                "members": [str(member.folder.resolve()) for member in members],
            }
        )
        with TrainLog() as log:
            log.open(run.train_log)
            finished = finish_ensemble(temporary, began=began, say=log.say, progress=progress)
    add_user(dataset.place, User.of_run(target))
    return TrainedRun(folder=target, result=finished.result, in_memory=finished.ranker)


def _members(runs: Sequence[str | Path]) -> list[LoadedRun]:
    folders = [Path(run) for run in runs]
    if len(folders) < 2:  # noqa: PLR2004
        raise SettingsError(f"an ensemble must have at least 2 runs, but {len(folders)} was given; name another")
    places = [folder.resolve() for folder in folders]
    for place, folder in zip(places, folders, strict=True):
        if places.count(place) > 1:
            raise SettingsError(f"each run of an ensemble must be given once, but {folder} was given twice")
        if is_ensemble(folder):
            raise RunError(
                f"a member of an ensemble must be a single run, but {folder} is an ensemble itself; try its members, "
                f"{folder / MEMBERS}/*"
            )
        RunFolder.open(folder).result()
    members = [load_run(folder) for folder in folders]
    check_same_data(members)
    return members


def _distinct_names(folders: Sequence[Path]) -> list[str]:
    """Name the members by their folders, with a number where two have one name.

    Example:
        >>> _distinct_names([Path("a/x"), Path("b/x"), Path("b/y")])
        ['x-1', 'x-2', 'y']
    """
    names = [folder.resolve().name for folder in folders]
    return [
        f"{name}-{names[: place + 1].count(name)}" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]
