"""What lies in a folder of runs: each run with its state, its best metrics, its time and its size."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rankelastor.errors import RankElastorError, RunError
from rankelastor.folder_lock import is_held
from rankelastor.runs.checkpoints import list_checkpoints, step_of
from rankelastor.runs.ensemble_folder import member_folders
from rankelastor.runs.run_folder import RunFolder
from rankelastor.suggestions import what_lies_near

State = Literal["running", "stopped", "finished", "damaged"]


@dataclass(frozen=True)
class RunOverview:
    """One run at a glance.

    Attributes:
        folder: the run folder.
        state: ``running`` while a process trains in it; ``stopped`` before its end; ``finished``; ``damaged`` if it
            cannot be read.
        num_bytes: size of its files on disk; files that several checkpoints share count once.
        name: name of the recipe.
        model: kind of the model.
        step: steps done, as far as the files say.
        resumes_after: step after which training would go on; None without a checkpoint.
        valid: metrics of valid at the best evaluation; empty before the first.
        test: metrics of test; empty before the end, and without a test split.
        seconds: time of the training so far, in seconds; None before the first evaluation.
        problem: why it cannot be read.
    """

    folder: Path
    state: State
    num_bytes: int
    name: str | None = None
    model: str | None = None
    step: int | None = None
    resumes_after: int | None = None
    valid: Mapping[str, Any] = field(default_factory=dict)
    test: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    problem: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON; None and empty metrics are left out."""
        values = {**asdict(self), "folder": str(self.folder)}
        return {name: value for name, value in values.items() if value is not None and value != {}}


def list_runs(folder: str | Path) -> list[RunOverview]:
    """Look at the run folders in a folder, or at the one run that it is, in order of name.

    Raises:
        RunError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"the folder of runs {folder} does not exist; {what_lies_near(folder)}")
    if (folder / "config.yaml").is_file():
        return [look_at(folder)]
    return [look_at(path) for path in sorted(folder.iterdir()) if (path / "config.yaml").is_file()]


def look_at(path: Path) -> RunOverview:
    """Look at one run folder; what cannot be read is said in the overview."""
    num_bytes = size_on_disk(path)
    try:
        state: State = "running" if is_held(path) else "finished" if RunFolder(path).has_result else "stopped"
        return RunOverview(path, state, num_bytes, **_facts(RunFolder.open(path)))
    except (RankElastorError, OSError) as error:
        return RunOverview(path, "damaged", num_bytes, problem=str(error))


def size_on_disk(path: Path) -> int:
    """Sum the sizes of the files in a folder; a file with several names counts once, and links are not followed."""
    sizes: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(path):
        for name in names:
            try:
                found = (Path(parent) / name).lstat()
            except FileNotFoundError:  # a training writes while we look
                continue
            sizes[found.st_dev, found.st_ino] = found.st_size
    return sum(sizes.values())


def _facts(run: RunFolder) -> dict[str, Any]:
    recipe = run.recipe()
    facts: dict[str, Any] = {"name": recipe.name, "model": recipe.model.kind}
    if members := member_folders(run.path):
        facts["model"] = f"{len(members)} x {recipe.model.kind}"
    checkpoints = list_checkpoints(run.checkpoints)
    if checkpoints:
        facts["resumes_after"] = step_of(checkpoints[0])
    if run.has_result:
        result = run.result()
        test = result.metrics.get("test", {})
        return facts | {"step": result.steps, "valid": result.valid, "test": test, "seconds": result.seconds}
    evaluations = run.metrics()
    steps = [int(line.get("step", 0)) for line in evaluations] + [step_of(path) for path in checkpoints[:1]]
    improved = [line for line in evaluations if line.get("improved")]
    return facts | {
        "step": max(steps, default=None),
        "valid": improved[-1].get("metrics", {}) if improved else {},
        "seconds": evaluations[-1].get("seconds") if evaluations else None,
    }
