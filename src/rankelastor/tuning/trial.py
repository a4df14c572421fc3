"""Train one trial, looking at the valid split alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankelastor.errors import RunError, SettingsError
from rankelastor.metrics.monitor import Monitor, monitor_weights
from rankelastor.metrics.report import read_figure
from rankelastor.progress import ProgressListener
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.interruption import Interruption
from rankelastor.training.observers import Discarded, Evaluation, ResumePoint, SilentObserver, TrainingObserver
from rankelastor.training.run import train
from rankelastor.tuning.record import TrialRecord, TrialState

if TYPE_CHECKING:
    from rankelastor.tuning.journal import OpenTrial


def run_trial(
    trial: OpenTrial,
    recipe: Recipe,
    folder: Path,
    *,
    observers: Sequence[TrainingObserver] = (),
    progress: ProgressListener | None = None,
    interruption: Interruption | None = None,
) -> TrialRecord:
    """Train a trial in a run folder and store what became of it; a run that is not finished is not kept.

    Args:
        trial: the trial.
        recipe: the recipe with the drawn settings.
        folder: the run folder; an unfinished run of this trial is gone on with.
        observers: called at every step and evaluation.
        progress: receives the progress of scoring.
        interruption: hands requests to stop to the training.
    """
    began = time.perf_counter()
    judge = _Judge(trial, recipe.training.stopping.monitor)
    state: TrialState = "finished"
    reason = ""
    try:
        train(
            recipe,
            folder=folder,
            observers=[*observers, judge],
            progress=progress,
            interruption=interruption,
            test=False,
        )
    except Discarded:
        state = "pruned"
    except SettingsError as error:
        state, reason = "does not fit", str(error)
    except RunError as error:
        state, reason = "diverged", str(error)
    record = TrialRecord(
        trial.index,
        state,
        trial.drawn,
        value=judge.best,
        metrics=judge.metrics,
        epochs=judge.num_evaluations,
        seconds=round(time.perf_counter() - began, 3),
        reason=reason,
    )
    trial.end(record)
    return record


def monitor_value(metrics: Mapping[str, Any], monitor: Monitor) -> float:
    """Compute what trials are compared by: the monitor, so that larger is better.

    Example:
        >>> monitor_value({"auc": 0.75, "logloss": 0.5}, "logloss")
        -0.5
    """
    return sum(weight * read_figure(metrics, name) for name, weight in monitor_weights(monitor).items())


class _Judge(SilentObserver):
    """An observer that keeps the best evaluation, and ends a training that is worse than the median of the others."""

    def __init__(self, trial: OpenTrial, monitor: Monitor) -> None:
        self._trial, self._monitor = trial, monitor
        self.best: float | None = None
        self.metrics: dict[str, Any] = {}
        self.num_evaluations = 0

    def on_evaluation(self, evaluation: Evaluation) -> None:
        self.num_evaluations += 1
        if evaluation.improved:
            self.best = monitor_value(evaluation.metrics, self._monitor)
            self.metrics = dict(evaluation.metrics)
        if self.best is None:
            return
        if self._trial.is_hopeless(self.best, num_evaluations=self.num_evaluations):
            raise Discarded

    def state(self) -> Mapping[str, Any]:
        return {"best": self.best, "metrics": self.metrics, "num_evaluations": self.num_evaluations}

    def on_resume(self, point: ResumePoint, state: Mapping[str, Any]) -> None:
        del point
        if state:
            self.best, self.metrics = state["best"], dict(state["metrics"])
            self.num_evaluations = int(state["num_evaluations"])
