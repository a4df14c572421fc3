"""Train a finished run again from its folder alone, and compare the two."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rankelastor.errors import RunError
from rankelastor.progress import ProgressListener
from rankelastor.recipes.load import with_overrides
from rankelastor.remote.remote_path import place_of
from rankelastor.runs.ensemble_folder import member_folders
from rankelastor.runs.load import require_whole
from rankelastor.runs.run_folder import RunFolder
from rankelastor.runs.weights import read_weights
from rankelastor.storage import explain_storage_errors
from rankelastor.training.observers import TrainingObserver
from rankelastor.training.run import train

TOLERANCE = 1e-3
"""Largest difference of a metric that counts as the same where bits differ."""

_OWN_KEYS = {"seconds", "resumed", "resumable", "format_version", "bf16_speed_up", "chosen", "prepared"}
"""What stands in environment.json and is none of the machine's facts."""


@dataclass(frozen=True)
class Repetition:
    """A run beside its repetition.

    Attributes:
        folder: the run.
        same_weights: whether all best weights agree bit for bit.
        same_metrics: whether the metrics of every evaluation and of the result agree bit for bit.
        largest_difference: largest difference of a metric of the result.
        tolerance: the difference that is allowed.
        metrics: metrics of the result by split and name, before and now.
        environment: what differs in the environment, before and now.
    """

    folder: Path
    same_weights: bool
    same_metrics: bool
    largest_difference: float
    tolerance: float
    metrics: Mapping[str, tuple[float, float]]
    environment: Mapping[str, tuple[Any, Any]]

    @property
    def is_identical(self) -> bool:
        """Whether weights and metrics agree bit for bit."""
        return self.same_weights and self.same_metrics

    @property
    def is_within_tolerance(self) -> bool:
        """Whether no metric of the result differs by more than the tolerance."""
        return self.largest_difference <= self.tolerance

    @property
    def verdict(self) -> str:
        """What the comparison says in one sentence."""
        if self.is_identical:
            return "the same bit for bit: all weights and all metrics"
        within = "within" if self.is_within_tolerance else "beyond"
        which = "the metrics agree, the weights do not" if self.same_metrics else "not the same bit for bit"
        return (
            f"{which}: metrics differ by at most {self.largest_difference:.3g}, {within} the tolerance of "
            f"{self.tolerance:g}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {
            "folder": str(self.folder),
            "identical": self.is_identical,
            "same_weights": self.same_weights,
            "same_metrics": self.same_metrics,
            "largest_difference": self.largest_difference,
            "tolerance": self.tolerance,
            "within_tolerance": self.is_within_tolerance,
            "metrics": {name: {"before": before, "now": now} for name, (before, now) in self.metrics.items()},
            "environment": {name: {"before": before, "now": now} for name, (before, now) in self.environment.items()},
        }


def repeat_run(
    folder: str | Path,
    *,
    to: str | Path | None = None,
    tolerance: float = TOLERANCE,
    observers: Sequence[TrainingObserver] = (),
    progress: ProgressListener | None = None,
) -> Repetition:
    """Train a finished run again with the settings in its folder, and compare weights and metrics.

    The data are those that the settings name: the prepared folder, or the raw files, from which it is made again. If
    there is none, they are taken from where they were when the run was trained.

    Args:
        folder: the run.
        to: folder of the repetition, which stays; None removes it after the comparison.
        tolerance: largest difference of a metric that counts as the same where bits differ.
        observers: called at every step and evaluation.
        progress: receives the progress of preparation and scoring.

    Raises:
        RunError: the run has not finished or is damaged, or its data are no longer those that it was trained on.
    """
    run = RunFolder.open(folder)
    if members := member_folders(run.path):
        raise RunError(
            f"a run must be a single one to be repeated, but {run} is an ensemble; repeat its members, such as "
            f"{members[0]}"
        )
    run.result()
    require_whole(run)
    read_weights(run.best_weights)  # damage is found before hours of training, not after them
    recipe = with_overrides(run.recipe(), {"training.checkpoint.keep_after_end": False, **_place_of_data(run)})
    with explain_storage_errors(run.path), tempfile.TemporaryDirectory(prefix="rankelastor-") as temporary:
        again = RunFolder(to or Path(temporary) / "run")
        train(recipe, folder=again.path, observers=observers, progress=progress)
        _check_data(run, again)
        return compare_runs(run, again, tolerance=tolerance)


def _place_of_data(run: RunFolder) -> dict[str, Any]:
    """Choose the prepared folder that the run remembers, if there is none where its settings say."""
    remembered = run.prepared
    here = place_of(run.recipe().data.prepared, what="data.prepared", error=RunError)
    if remembered is None or not remembered.is_dir() or here.is_dir():
        return {}
    return {"data.prepared": str(remembered)}


def compare_runs(run: RunFolder, again: RunFolder, *, tolerance: float) -> Repetition:
    """Compare two finished runs of the same settings."""
    before, now = (dict(_figures(each.result().metrics)) for each in (run, again))
    shared = {name: (before[name], now[name]) for name in before if name in now}
    return Repetition(
        folder=run.path,
        same_weights=_same_tensors(read_weights(run.best_weights), read_weights(again.best_weights)),
        same_metrics=before == now and _without_times(run) == _without_times(again),
        largest_difference=max((abs(one - two) for one, two in shared.values()), default=math.inf),
        tolerance=tolerance,
        metrics=shared,
        environment=dict(_environment(run.environment(), again.environment())),
    )


def _check_data(run: RunFolder, again: RunFolder) -> None:
    before, now = (each.environment().get("data_fingerprint") for each in (run, again))
    if before != now:
        raise RunError(
            f"a run must be repeated with the data that it was trained on, but those that {run}/config.yaml names have "
            "changed since; restore the former files and prepare them again"
        )


def _same_tensors(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def _without_times(run: RunFolder) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name != "seconds"} for line in run.metrics()]


def _figures(values: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """List the numbers in nested mappings by path."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _figures(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)


def _environment(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """List what differs, packages one by one."""
    for name in sorted((before.keys() | now.keys()) - _OWN_KEYS):
        one, two = before.get(name), now.get(name)
        if isinstance(one, Mapping) and isinstance(two, Mapping):
            yield from _environment(one, two)
        elif one != two:
            yield name, (one, two)
