"""The evaluations after and within epochs: keep the best one, and choose the next learning rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rankelastor.errors import RunError
from rankelastor.evaluation.scoring import Predictions
from rankelastor.progress import ProgressListener
from rankelastor.training.distributed.scoring import score_together
from rankelastor.training.observers import Evaluation, TrainingObserver
from rankelastor.training.stopping import Plateau
from rankelastor.training.training import Training


class Evaluations:
    """The evaluations of one training.

    Args:
        training: the ranker, its data and settings.
        observers: called at every evaluation.
        save_best: saves the weights and predictions of an evaluation that improved.
        progress: receives the progress of scoring.
    """

    def __init__(
        self,
        training: Training,
        observers: Sequence[TrainingObserver],
        *,
        save_best: Callable[[Predictions], None],
        progress: ProgressListener | None,
    ) -> None:
        self._training = training
        self._observers = observers
        self._save_best = save_best
        self._progress = progress
        self._plateau = Plateau(training.settings.stopping, learning_rate=training.settings.optimiser.learning_rate)
        self._all: list[Evaluation] = []
        self._best: tuple[Evaluation, Predictions] | None = None
        self._began = time.perf_counter()
        self.learning_rate = training.settings.optimiser.learning_rate
        """Learning rate before the factor of the schedule."""
        self._falls_on_plateaus = training.settings.schedule.kind == "plateau"
        self.has_stopped = False
        """Whether early stopping has ended the training."""

    @property
    def number(self) -> int:
        """Number of evaluations so far."""
        return len(self._all)

    @property
    def last_step(self) -> int:
        """Number of steps before the last evaluation; 0 before the first."""
        return self._all[-1].step if self._all else 0

    def score(self) -> Predictions:
        """Score the valid split; nothing is changed. Only the first of several processes has the whole split."""
        training = self._training
        return score_together(
            training.ranker,
            training.valid,
            training.settings.execution,
            tasks=training.tasks,
            odds=training.odds,
            processes=training.processes,
            progress=self._progress,
        )

    def judge(
        self,
        predictions: Predictions,
        *,
        epoch: int,
        step: int,
        epochs_done: float,
        learning_rate: float,
        train_loss: float,
    ) -> None:
        """Measure predictions, keep the best, and choose the next learning rate.

        Args:
            predictions: of the valid split.
            epoch: number of the present epoch.
            step: number of steps that are done.
            epochs_done: number of epochs that are done, also in parts.
            learning_rate: that of the last step.
            train_loss: mean loss over the examples of the epoch so far.
        """
        metrics = self._training.processes.from_first(lambda: predictions.metrics().as_dict())
        decision = self._plateau.judge(metrics)
        evaluation = Evaluation(
            epoch=epoch,
            step=step,
            epochs_done=round(epochs_done, 6),
            learning_rate=learning_rate,
            train_loss=round(train_loss, 6),
            metrics=metrics,
            improved=decision.improved,
            seconds=round(time.perf_counter() - self._began, 3),
        )
        if decision.improved:
            self._save_best(predictions)
            self._best = evaluation, predictions
        self._all.append(evaluation)
        if self._falls_on_plateaus:
            self.learning_rate = decision.learning_rate
        self.has_stopped = decision.stop
        for observer in self._observers:
            observer.on_evaluation(evaluation)

    def best(self) -> tuple[Evaluation, Predictions]:
        """Return the best evaluation and its predictions.

        Raises:
            RunError: no evaluation defined the monitored metric.
        """
        if self._best is None:
            raise RunError(
                f"training.monitor={self._training.settings.stopping.monitor} must be defined for the valid split, "
                "but was not in any evaluation; try training.monitor=logloss"
            )
        return self._best

    def state(self) -> dict[str, Any]:
        """Return all but the best predictions, as values for JSON."""
        return {
            "all": [asdict(evaluation) for evaluation in self._all],
            "best": None if self._best is None else self._all.index(self._best[0]),
            "learning_rate": self.learning_rate,
            "has_stopped": self.has_stopped,
            "plateau": self._plateau.state(),
            "seconds": time.perf_counter() - self._began,
        }

    def restore(self, state: Mapping[str, Any], best_predictions: Callable[[], Predictions]) -> None:
        """Go on from a value of ``state``; the best predictions are asked for if there was an evaluation that improved.

        Raises:
            KeyError, TypeError: the state has not the form of ``state``.
        """
        self._all = [Evaluation(**values) for values in state["all"]]
        best = state["best"]
        if best is not None:
            self._best = self._all[best], best_predictions()
        self.learning_rate, self.has_stopped = float(state["learning_rate"]), bool(state["has_stopped"])
        self._plateau.restore(**state["plateau"])
        self._began = time.perf_counter() - float(state["seconds"])
