"""The training loop: epochs, evaluations, the best weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor

from rankelastor.config.execution import ExecutorName
from rankelastor.config.training import TrainingSettings
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.errors import RunError
from rankelastor.evaluation.scoring import Predictions, score_split
from rankelastor.models.ranker import Ranker
from rankelastor.nn.scheduled import scheduled_modules
from rankelastor.objectives.mean_loss import MeanLoss
from rankelastor.objectives.odds import UNCHANGED, Odds
from rankelastor.progress import ProgressListener
from rankelastor.schema import Batch
from rankelastor.training.epoch_batches import epoch_batches
from rankelastor.training.objective import objective_of
from rankelastor.training.observers import Evaluation, Step, TrainingObserver
from rankelastor.training.rare_as_unseen import RareAsUnseen
from rankelastor.training.step import Stepper
from rankelastor.training.stopping import Plateau


@dataclass(frozen=True)
class Training:
    """A ranker with its data and settings of training.

    Attributes:
        ranker: the model, changed in place.
        train: loader of the train split, shuffled by (seed, epoch).
        valid: loader of the valid split, which is scored after each epoch.
        settings: settings of training.
        tasks: names of the label columns.
        rare_as_unseen: replacement of rare ids in each training batch; None replaces nothing.
        odds: how training changes the odds of the label; the scores of valid are corrected for it.
    """

    ranker: Ranker
    train: BatchLoader
    valid: BatchLoader
    settings: TrainingSettings
    tasks: Sequence[str]
    rare_as_unseen: RareAsUnseen | None = None
    odds: Odds = UNCHANGED

    @property
    def device(self) -> torch.device:
        """Device of the ranker."""
        return next(self.ranker.parameters()).device


@dataclass(frozen=True)
class FitResult:
    """The result of ``fit``.

    Attributes:
        best: the best evaluation.
        best_predictions: predictions of that evaluation for the valid split.
        num_epochs: number of epochs trained.
        num_steps: number of optimiser steps.
        examples_per_second: training speed, without evaluations.
        data_wait_share: share of the training time spent waiting for batches.
        executor: how the steps were computed.
    """

    best: Evaluation
    best_predictions: Predictions
    num_epochs: int
    num_steps: int
    examples_per_second: float
    data_wait_share: float
    executor: ExecutorName


def fit(
    training: Training,
    *,
    save_best: Callable[[], None],
    observers: Sequence[TrainingObserver] = (),
    progress: ProgressListener | None = None,
) -> FitResult:
    """Train until early stopping or the last epoch.

    The ranker ends with the weights of the last step, not of the best evaluation.

    Args:
        training: the ranker, its data and settings.
        save_best: saves the weights; called after each evaluation that improved.
        observers: called at every step and evaluation.
        progress: receives the progress of scoring the valid split.

    Raises:
        RunError: the loss is not finite, or no evaluation defined the monitored metric.
    """
    settings, train = training.settings, training.train
    epochs = _Epochs(training, observers)
    evaluations = _Evaluations(training, observers, save_best=save_best, progress=progress)
    for observer in observers:
        observer.on_start(training.ranker, num_epochs=settings.epochs, num_examples=train.num_rows)
    epoch = 0
    with closing(epochs.stepper):
        for epoch in range(1, settings.epochs + 1):
            next_learning_rate = evaluations.judge(epoch, train_loss=epochs.run(epoch))
            if next_learning_rate is None:
                break
            epochs.stepper.set_learning_rate(next_learning_rate)
    best, best_predictions = evaluations.best()
    return FitResult(
        best=best,
        best_predictions=best_predictions,
        num_epochs=epoch,
        num_steps=epoch * len(train),
        examples_per_second=epoch * train.num_rows / epochs.seconds,
        data_wait_share=epochs.seconds_waited / epochs.seconds,
        executor=epochs.stepper.executor,
    )


class _Epochs:
    """The training steps epoch by epoch, with the time that they take."""

    def __init__(self, training: Training, observers: Sequence[TrainingObserver]) -> None:
        settings = training.settings
        self._training = training
        self._observers = observers
        self._scheduled = scheduled_modules(training.ranker)
        self.stepper = Stepper(
            training.ranker,
            settings.optimiser,
            settings.execution,
            batch_size=settings.batch_size,
            objective=objective_of(settings, training.tasks, training.ranker),
        )
        self.seconds = 0.0
        self.seconds_waited = 0.0

    def run(self, epoch: int) -> float:
        """Run the steps of an epoch, counted from 1; return the mean loss over its examples.

        Raises:
            RunError: the mean loss is not finite.
        """
        began = time.perf_counter()
        training = self._training
        training.ranker.train()
        for observer in self._observers:
            observer.on_epoch_start(epoch)
        with epoch_batches(
            training.train,
            epoch=epoch,
            read_ahead=training.settings.execution.read_ahead,
            device=training.device,
            rare_as_unseen=training.rare_as_unseen,
        ) as batches:
            losses = MeanLoss(self.stepper.objective.total)
            for index, batch in enumerate(batches, start=(epoch - 1) * len(training.train) + 1):
                losses.add(self._step(epoch, index, batch), batch)
        mean_loss = losses.value()
        _check_finite(mean_loss, epoch)
        self.stepper.complete_rows()
        self.seconds += time.perf_counter() - began
        self.seconds_waited += batches.waited_seconds
        return mean_loss

    def _step(self, epoch: int, index: int, batch: Batch) -> Tensor:
        for module in self._scheduled:
            module.set_epochs_done((index - 1) / len(self._training.train))
        loss = self.stepper.step(batch)
        for observer in self._observers:
            observer.on_step(Step(epoch=epoch, index=index, batch=batch, loss=loss))
        return loss


class _Evaluations:
    """The evaluations after each epoch: keep the best one, and choose the next learning rate."""

    def __init__(
        self,
        training: Training,
        observers: Sequence[TrainingObserver],
        *,
        save_best: Callable[[], None],
        progress: ProgressListener | None,
    ) -> None:
        self._training = training
        self._observers = observers
        self._save_best = save_best
        self._progress = progress
        self._learning_rate = training.settings.optimiser.learning_rate
        self._plateau = Plateau(training.settings.stopping, learning_rate=self._learning_rate)
        self._best: tuple[Evaluation, Predictions] | None = None
        self._began = time.perf_counter()

    def judge(self, epoch: int, *, train_loss: float) -> float | None:
        """Evaluate after an epoch; return the learning rate of the next epoch, or None to stop."""
        training = self._training
        predictions = score_split(
            training.ranker,
            training.valid,
            training.settings.execution,
            tasks=training.tasks,
            odds=training.odds,
            progress=self._progress,
        )
        metrics = predictions.metrics().as_dict()
        decision = self._plateau.judge(metrics)
        evaluation = Evaluation(
            epoch=epoch,
            step=epoch * len(training.train),
            learning_rate=self._learning_rate,
            train_loss=round(train_loss, 6),
            metrics=metrics,
            improved=decision.improved,
            seconds=round(time.perf_counter() - self._began, 3),
        )
        if decision.improved:
            self._best = evaluation, predictions
            self._save_best()
        for observer in self._observers:
            observer.on_evaluation(evaluation)
        self._learning_rate = decision.learning_rate
        return None if decision.stop else decision.learning_rate

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


def _check_finite(mean_loss: float, epoch: int) -> None:
    if not math.isfinite(mean_loss):
        raise RunError(
            f"the training loss must stay finite, but was {mean_loss} in epoch {epoch}; "
            "try a smaller training.learning_rate"
        )
