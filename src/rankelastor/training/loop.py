"""The training loop: epochs, evaluations, checkpoints, the best weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from rankelastor.config.execution import ExecutorName
from rankelastor.errors import RunError
from rankelastor.evaluation.scoring import Predictions
from rankelastor.progress import ProgressListener
from rankelastor.runs.checkpoints import Checkpoint
from rankelastor.training.carried_state import CarriedState
from rankelastor.training.checkpointer import StateWriter
from rankelastor.training.distributed.sharded_state import restored_rows
from rankelastor.training.epochs import Epochs
from rankelastor.training.evaluation_steps import evaluation_batches
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
"""Weights and the two moments of Adam; averaged weights come on top."""


@dataclass(frozen=True)
class FitResult:
    """The result of ``fit``.

    Attributes:
        best: the best evaluation.
        best_predictions: predictions of that evaluation for the valid split.
        num_epochs: number of epochs trained, the one included that early stopping ended.
        num_steps: number of optimiser steps.
        num_skipped: number of steps that were left out because their loss was not finite.
        examples_per_second: training speed, without evaluations.
        data_wait_share: share of the training time spent waiting for batches.
        executor: how the steps were computed.
        slice_examples: most examples of a slice of a batch; None where batches were not cut.
    """

    best: Evaluation
    best_predictions: Predictions
    num_epochs: int
    num_steps: int
    num_skipped: int
    examples_per_second: float
    data_wait_share: float
    executor: ExecutorName
    slice_examples: int | None


@dataclass(frozen=True)
class Start:
    """Where a training starts.

    Attributes:
        checkpoint: the state to go on from; None starts anew.
        best_predictions: reads the predictions of the best evaluation of that state.
        began: ``time.perf_counter()`` when the run began, without the time between its parts.
        carried: the state of a former training to begin with; None begins with the initial weights.
    """

    checkpoint: Checkpoint | None = None
    best_predictions: Callable[[], Predictions] | None = None
    began: float = field(default_factory=time.perf_counter)
    carried: CarriedState | None = None


def fit(
    training: Training,
    *,
    save_best: Callable[[Predictions], None],
    checkpointer: StateWriter,
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
        checkpointer: StateWriter,
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
        self._evaluated_batches = evaluation_batches(training.settings.evaluate_every, num_batches=len(training.train))
        weights = sum(parameter.nbytes for parameter in training.ranker.parameters())
        self._num_bytes = (_WITH_MOMENTS + (training.settings.averaged_weights is not None)) * weights

    def run(self) -> FitResult:
        settings, train = self._training.settings, self._training.train
        for observer in self._observers:
            observer.on_start(self._training.ranker, num_epochs=settings.epochs, num_examples=train.num_rows)
        if self._start.checkpoint is not None:
            self._restore(self._start.checkpoint)
        elif self._start.carried is not None:
            self.epochs.take_over(self._start.carried)
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
        if self._evaluate_if_due() and not self.epochs.is_done:  # due if an interruption came before it
            self.epochs.run(self._after_step)
        with self._interruption.whole():
            if not self.epochs.is_done:
                return  # early stopping within the epoch
            self.epochs.begin_next()
        self._write_if_due()

    def _after_step(self) -> bool:
        """Evaluate and write if either is due; tell whether to go on."""
        self._write_if_due()  # before an evaluation, which may take long
        goes_on = self._evaluate_if_due()
        if self._is_evaluated and not self.epochs.is_done:
            self._write_if_due()
        return goes_on

    def _evaluate_if_due(self) -> bool:
        """Evaluate after the steps that the settings say, once; tell whether to go on with the epoch."""
        epochs, evaluations = self.epochs, self._evaluations
        if epochs.batch in self._evaluated_batches and evaluations.last_step < epochs.step:
            train_loss = epochs.pause()
            with epochs.stepper.with_averages():
                predictions = evaluations.score()
                with self._interruption.whole():
                    evaluations.judge(
                        predictions,
                        epoch=epochs.epoch,
                        step=epochs.step,
                        epochs_done=epochs.num_epochs,
                        learning_rate=epochs.stepper.learning_rate,
                        train_loss=train_loss,
                    )
                    epochs.learning_rate = evaluations.learning_rate
            epochs.go_on()
        return not evaluations.has_stopped

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
        return Snapshot.of(self.epochs.step, values, tensors, is_evaluated=self._is_evaluated, copied=copied)

    @property
    def _is_evaluated(self) -> bool:
        return 0 < self.epochs.step == self._evaluations.last_step

    def _restore(self, checkpoint: Checkpoint) -> None:
        values, tensors = checkpoint.values, dict(checkpoint.tensors)
        states = {name: tensors.pop(name) for name in checkpoint.tensors if name.startswith(_RANDOM)}
        try:
            self.epochs.restore(values["epochs"])
            tensors = restored_rows(self._training.ranker, checkpoint, tensors)
            self.epochs.stepper.restore(tensors, learning_rate=float(values["learning_rate"]))
            assert self._start.best_predictions is not None, "a checkpoint has predictions"
            self._evaluations.restore(values["evaluations"], self._start.best_predictions)
            self.epochs.learning_rate = self._evaluations.learning_rate
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
            num_epochs=math.ceil(epochs.num_epochs),
            num_steps=epochs.step,
            num_skipped=epochs.num_skipped,
            examples_per_second=epochs.num_epochs * train.num_rows / epochs.seconds,
            data_wait_share=epochs.seconds_waited / epochs.seconds,
            executor=epochs.stepper.executor,
            slice_examples=epochs.stepper.slice_examples,
        )
