"""The training steps epoch by epoch, with the time that they take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rankelastor.errors import RunError
from rankelastor.nn.scheduled import scheduled_modules
from rankelastor.objectives.mean_loss import MeanLoss
from rankelastor.schema import Batch
from rankelastor.training.carried_state import CarriedState
from rankelastor.training.epoch_batches import epoch_batches
from rankelastor.training.interruption import Interruption
from rankelastor.training.learning_rate import rate_factor
from rankelastor.training.not_finite import NotFiniteError, as_run_error
from rankelastor.training.observers import Step, TrainingObserver
from rankelastor.training.skipping import BufferCopies
from rankelastor.training.stepper_of import stepper_of
from rankelastor.training.training import Training


class Epochs:
    """The steps of one training.

    Args:
        training: the ranker, its data and settings.
        observers: called at every step.
        interruption: requests to stop wait for the end of a step.
    """

    def __init__(self, training: Training, observers: Sequence[TrainingObserver], interruption: Interruption) -> None:
        settings = training.settings
        self._training = training
        self._observers = observers
        self._interruption = interruption
        self._scheduled = scheduled_modules(training.ranker)
        self.stepper = stepper_of(training, interruption)
        self.epoch = 1
        """Number of the present epoch, counted from 1."""
        self.batch = 0
        """Number of its batches that are done."""
        self.num_skipped = 0
        """Number of steps that were left out because their loss or gradient was not finite."""
        self._losses = MeanLoss(self.stepper.objective.total)
        self._copies = BufferCopies(training.ranker) if settings.on_nan == "skip" else None
        self.seconds = 0.0
        self.seconds_waited = 0.0
        self.learning_rate = settings.optimiser.learning_rate
        """Learning rate before the factor of the schedule."""
        self._last = time.perf_counter()
        self._epochs_before = 0.0  # of the trainings that this one goes on from

    @property
    def num_epochs(self) -> float:
        """Number of epochs that are done, also in parts."""
        return self.step / len(self._training.train)

    @property
    def is_done(self) -> bool:
        """Whether all batches of the present epoch are done."""
        return self.batch == len(self._training.train)

    @property
    def step(self) -> int:
        """Number of steps that are done."""
        return (self.epoch - 1) * len(self._training.train) + self.batch

    def run(self, after_step: Callable[[], bool]) -> None:
        """Take the remaining steps of the present epoch.

        Args:
            after_step: called between steps, and after the last one; tells whether to go on.

        Raises:
            RunError: a loss or gradient is not finite.
        """
        training = self._training
        self._last = time.perf_counter()
        training.ranker.train()
        for observer in self._observers:
            observer.on_epoch_start(self.epoch)
        waited_before = self.seconds_waited
        with epoch_batches(
            training.train,
            epoch=self.epoch,
            read_ahead=training.settings.execution.read_ahead,
            device=training.device,
            rare_as_unseen=training.rare_as_unseen,
            first_batch=self.batch,
        ) as batches:
            for batch in batches:
                with self._interruption.whole():
                    self._take(batch)
                self._count_time()
                self.seconds_waited = waited_before + batches.waited_seconds
                if not after_step():
                    return

    def pause(self) -> float:
        """Bring all weights up to date for an evaluation; return the mean loss over the examples of the epoch so far.

        Raises:
            RunError: the mean loss is not finite.
        """
        mean_loss = self._losses.value()
        _check_finite(mean_loss, self.epoch)
        self.stepper.complete_rows()
        self._count_time()
        return mean_loss

    def go_on(self) -> None:
        """Go on with the steps after an evaluation, whose time is not counted."""
        self._training.ranker.train()
        self._last = time.perf_counter()

    def _count_time(self) -> None:
        now = time.perf_counter()
        self.seconds, self._last = self.seconds + now - self._last, now

    def begin_next(self) -> None:
        """Go on to the next epoch."""
        self.epoch, self.batch = self.epoch + 1, 0
        self._losses = MeanLoss(self.stepper.objective.total)

    def state(self) -> dict[str, Any]:
        """Return position, sums of losses and times, as values for JSON."""
        return {
            "position": self._training.train.state(epoch=self.epoch, batch=self.batch),
            "losses": self._losses.state(),
            **self.stepper.findings(),
            "num_skipped": self.num_skipped,
            "seconds": self.seconds,
            "seconds_waited": self.seconds_waited,
            **({"epochs_before": self._epochs_before} if self._epochs_before else {}),
        }

    def take_over(self, carried: CarriedState) -> None:
        """Begin with the state of a former training, whose epochs count for layers that change while training.

        Raises:
            RunError: it is the state of another model.
        """
        try:
            self.stepper.take_over(carried)
        except ValueError as error:
            raise RunError(f"a training must go on from a run of the same model, but {error}") from error
        self._epochs_before = carried.epochs_done

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a value of ``state``; weights and optimiser are the stepper's.

        Raises:
            RunError: the position is that of other data or settings.
            KeyError, TypeError, ValueError: the state has not the form of ``state``.
        """
        self.epoch, self.batch = self._training.train.restore(state["position"])
        self._losses.restore(*map(float, state["losses"]))
        self.stepper.restore_findings(state)
        self.num_skipped = int(state["num_skipped"])
        self._epochs_before = float(state.get("epochs_before", 0.0))
        self.seconds, self.seconds_waited = float(state["seconds"]), float(state["seconds_waited"])
        self._last = time.perf_counter()

    def _take(self, batch: Batch) -> None:
        """Take one step, or leave it out; either counts as a step."""
        self._set_learning_rate()
        for module in self._scheduled:
            module.set_epochs_done(self._epochs_before + self.step / len(self._training.train))
        loss = self._take_or_skip(batch)
        _, _, num_examples = self._training.train.place_in(self.batch)
        self.batch += 1
        step = Step(epoch=self.epoch, index=self.step, batch=batch, loss=loss, examples_of_all=num_examples)
        for observer in self._observers:
            observer.on_step(step)

    def _set_learning_rate(self) -> None:
        """Set the rate of the schedule, if it has changed."""
        settings = self._training.settings
        factor = rate_factor(
            settings.schedule,
            self.step,
            steps_per_epoch=len(self._training.train),
            num_epochs=settings.epochs,
        )
        if self.learning_rate * factor != self.stepper.learning_rate:
            self.stepper.set_learning_rate(self.learning_rate * factor)

    def _take_or_skip(self, batch: Batch) -> Tensor:
        if self._copies is not None:
            self._copies.take()
        try:
            loss = self.stepper.step(batch)
        except NotFiniteError as error:
            if self._copies is None:
                rows = self._training.train.rows(self.epoch, self.batch)
                raise as_run_error(error, epoch=self.epoch, step=self.step + 1, rows=rows) from None
            self._copies.restore()
            self.num_skipped += 1
            return torch.tensor(error.loss)
        self._losses.add(loss, batch)
        return loss


def _check_finite(mean_loss: float, epoch: int) -> None:
    if not math.isfinite(mean_loss):
        raise RunError(
            f"the training loss must stay finite, but was {mean_loss} in epoch {epoch}; "
            "try a smaller training.learning_rate"
        )
