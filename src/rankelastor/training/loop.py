"""The training loop: epochs, evaluations, checkpoints, the best weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from rankelastor.config.execution import ExecutorName
from rankelastor.errors import RunError
from rankelastor.evaluation.scoring import Predictions
from rankelastor.progress import ProgressListener
from rankelastor.runs.checkpoints import Checkpoint
from rankelastor.training.checkpointer import Checkpointer
from rankelastor.training.epochs import Epochs
from rankelastor.training.evaluations import Evaluations
from rankelastor.training.interruption import Interruption
from rankelastor.training.observers import (
    Evaluation,
    ResumePoint,
    TrainingObserver,
    observer_states,
    resume_observers,
)
from rankelastor.training.snapshot import Snapshot
from rankelastor.training.training import Training

_RANDOM = "random."
_WITH_MOMENTS = 3
"""Weights and the two moments of Adam."""


@dataclass(frozen=True)
class FitResult:
    """The result of ``fit``.

    Attributes:
        best: the best evaluation.
        best_predictions: predictions of that evaluation for the valid split.
        num_epochs: number of epochs trained.
        num_steps: number of optimiser steps.
        num_skipped: number of steps that were left out because their loss was not finite.
        examples_per_second: training speed, without evaluations.
        data_wait_share: share of the training time spent waiting for batches.
        executor: how the steps were computed.
    """

    best: Evaluation
    best_predictions: Predictions
    num_epochs: int
    num_steps: int
    num_skipped: int
    examples_per_second: float
    data_wait_share: float
    executor: ExecutorName


@dataclass(frozen=True)
class Start:
    """Where a training starts.

    Attributes:
        checkpoint: the state to go on from; None starts anew.
        best_predictions: reads the predictions of the best evaluation of that state.
        began: ``time.perf_counter()`` when the run began, without the time between its parts.
    """

    checkpoint: Checkpoint | None = None
    best_predictions: Callable[[], Predictions] | None = None
    began: float = field(default_factory=time.perf_counter)


def fit(
    training: Training,
    *,
    save_best: Callable[[Predictions], None],
    checkpointer: Checkpointer,
    start: Start | None = None,
    observers: Sequence[TrainingObserver] = (),
    progress: ProgressListener | None = None,
    interruption: Interruption | None = None,
) -> FitResult:
    """Train until early stopping or the last epoch.

    The ranker ends with the weights of the last step, not of the best evaluation.

    Args:
        training: the ranker, its data and settings.
        save_best: saves the weights and the predictions of valid; called after each evaluation that improved.
        checkpointer: writes the state while training goes on, and when it is stopped.
        start: where to start; None starts anew.
        observers: called at every step and evaluation.
        progress: receives the progress of scoring the valid split.
        interruption: requests to stop; None makes one that nobody uses.

    Raises:
        RunError: the loss is not finite, no evaluation defined the monitored metric, or the checkpoint is that of
            another training.
    """
    loop = _Loop(training, save_best, checkpointer, start or Start(), observers, progress, interruption)
    with closing(loop.epochs.stepper):
        return loop.run()


class _Loop:
    """The loop with all of its state."""

    def __init__(  # noqa: PLR0917
        self,
        training: Training,
        save_best: Callable[[Predictions], None],
        checkpointer: Checkpointer,
        start: Start,
        observers: Sequence[TrainingObserver],
        progress: ProgressListener | None,
        interruption: Interruption | None,
    ) -> None:
        self._training = training
        self._checkpointer = checkpointer
        self._start = start
        self._observers = observers
        self._interruption = interruption or Interruption()
        self.epochs = Epochs(training, observers, self._interruption)
        self._evaluations = Evaluations(training, observers, save_best=save_best, progress=progress)
        weights = sum(parameter.nbytes for parameter in training.ranker.parameters())
        self._num_bytes = _WITH_MOMENTS * weights

    def run(self) -> FitResult:
        settings, train = self._training.settings, self._training.train
        for observer in self._observers:
            observer.on_start(self._training.ranker, num_epochs=settings.epochs, num_examples=train.num_rows)
        if self._start.checkpoint is not None:
            self._restore(self._start.checkpoint)
        try:
            while self.epochs.epoch <= settings.epochs and not self._evaluations.has_stopped:
                self._run_epoch()
        except KeyboardInterrupt:
            if not self._interruption.is_inside:
                self._checkpointer.save(self._take())
            raise
        self._checkpointer.at_end(self._num_bytes, self._take)
        return self._result()

    def _run_epoch(self) -> None:
        train_loss = self.epochs.run(self._write_if_due)
        predictions = self._evaluations.score()
        with self._interruption.whole():
            self._evaluations.judge(predictions, epoch=self.epochs.epoch, train_loss=train_loss)
            self.epochs.stepper.set_learning_rate(self._evaluations.learning_rate)
            self.epochs.begin_next()
        self._write_if_due()

    def _write_if_due(self) -> None:
        self._checkpointer.after_step(self.epochs.step, self._num_bytes, self._take)

    def _take(self, copied: bool = False) -> Snapshot:  # noqa: FBT001, FBT002 - called back with it alone
        tensors = self.epochs.stepper.state()
        states = self._training.generators.state()
        values = {
            "epochs": self.epochs.state(),
            "evaluations": self._evaluations.state(),
            "learning_rate": self.epochs.stepper.learning_rate,
            "observers": observer_states(self._observers),
            "seconds": time.perf_counter() - self._start.began,
        }
        tensors |= {f"{_RANDOM}{name}": state for name, state in states.items()}
        is_evaluated = self.epochs.batch == 0 and self.epochs.step > 0
        return Snapshot.of(self.epochs.step, values, tensors, is_evaluated=is_evaluated, copied=copied)

    def _restore(self, checkpoint: Checkpoint) -> None:
        values, tensors = checkpoint.values, dict(checkpoint.tensors)
        states = {name: tensors.pop(name) for name in checkpoint.tensors if name.startswith(_RANDOM)}
        try:
            self.epochs.restore(values["epochs"])
            self.epochs.stepper.restore(tensors, learning_rate=float(values["learning_rate"]))
            assert self._start.best_predictions is not None, "a checkpoint has predictions"
            self._evaluations.restore(values["evaluations"], self._start.best_predictions)
            resume_observers(self._observers, self._point(), values["observers"])
            random = {name.removeprefix(_RANDOM): state for name, state in states.items()}
            self._training.generators.restore(random)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise RunError(
                f"a checkpoint must be that of this model and these settings, but {checkpoint.path} is not: {error}; "
                "remove it, so that an older one is taken"
            ) from error

    def _point(self) -> ResumePoint:
        epochs, train = self.epochs, self._training.train
        return ResumePoint(
            epoch=epochs.epoch,
            batch=epochs.batch,
            step=epochs.step,
            num_examples=min(epochs.batch * train.batch_size, train.num_rows),
            num_evaluations=self._evaluations.number,
        )

    def _result(self) -> FitResult:
        best, best_predictions = self._evaluations.best()
        train, epochs = self._training.train, self.epochs
        return FitResult(
            best=best,
            best_predictions=best_predictions,
            num_epochs=self._evaluations.number,
            num_steps=epochs.step,
            num_skipped=epochs.num_skipped,
            examples_per_second=self._evaluations.number * train.num_rows / epochs.seconds,
            data_wait_share=epochs.seconds_waited / epochs.seconds,
            executor=epochs.stepper.executor,
        )
