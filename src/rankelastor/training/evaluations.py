"""The evaluations after each epoch: keep the best one, and choose the next learning rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rankelastor.errors import RunError
from rankelastor.evaluation.scoring import Predictions, score_split
from rankelastor.progress import ProgressListener
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
        """Learning rate of the present epoch."""
        self.has_stopped = False
        """Whether early stopping has ended the training."""

    @property
    def number(self) -> int:
        """Number of evaluations so far."""
        return len(self._all)

    def score(self) -> Predictions:
        """Score the valid split; nothing is changed."""
        training = self._training
        return score_split(
            training.ranker,
            training.valid,
            training.settings.execution,
            tasks=training.tasks,
            odds=training.odds,
            progress=self._progress,
        )

    def judge(self, predictions: Predictions, *, epoch: int, train_loss: float) -> None:
        """Measure predictions after an epoch, keep the best, and choose the next learning rate."""
        metrics = predictions.metrics().as_dict()
        decision = self._plateau.judge(metrics)
        evaluation = Evaluation(
            epoch=epoch,
            step=epoch * len(self._training.train),
            learning_rate=self.learning_rate,
            train_loss=round(train_loss, 6),
            metrics=metrics,
            improved=decision.improved,
            seconds=round(time.perf_counter() - self._began, 3),
        )
        if decision.improved:
            self._save_best(predictions)
            self._best = evaluation, predictions
        self._all.append(evaluation)
        self.learning_rate, self.has_stopped = decision.learning_rate, decision.stop
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
            "best_epoch": None if self._best is None else self._best[0].epoch,
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
        best_epoch = state["best_epoch"]
        if best_epoch is not None:
            self._best = self._all[best_epoch - 1], best_predictions()
        self.learning_rate, self.has_stopped = float(state["learning_rate"]), bool(state["has_stopped"])
        self._plateau.restore(**state["plateau"])
        self._began = time.perf_counter() - float(state["seconds"])
