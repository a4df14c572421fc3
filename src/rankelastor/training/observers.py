"""Observers of the training loop, such as progress bars, trackers and rank samplers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from rankelastor.models.ranker import Ranker
from rankelastor.schema import Batch


@dataclass(frozen=True)
class Step:
    """One optimiser step. ``batch`` and ``loss`` are on the device: reading them synchronises with it.

    Where several processes train, ``batch`` is the share of this one, ``loss`` that of the whole batch, and
    ``examples_of_all`` the size of the whole batch.
    """

    epoch: int
    index: int
    batch: Batch
    loss: Tensor
    examples_of_all: int | None = None

    @property
    def num_examples(self) -> int:
        """Number of examples that the step learned from."""
        return self.batch.num_examples if self.examples_of_all is None else self.examples_of_all


@dataclass(frozen=True)
class Evaluation:
    """An evaluation of the valid split after an epoch, or within it.

    ``train_loss`` is the mean loss of the epoch so far, without L2. ``epochs_done`` counts parts of epochs, too; None
    stands for whole ones.
    """

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    metrics: dict[str, Any]
    improved: bool
    seconds: float
    epochs_done: float | None = None

    @property
    def progress(self) -> float:
        """Number of epochs that are done, also in parts."""
        return float(self.epoch) if self.epochs_done is None else self.epochs_done


class Discarded(Exception):  # noqa: N818 - no mistake: an observer asks for it
    """Raised by an observer to end a training whose run is not wanted any more; its run folder is removed."""


class TrainingObserver(Protocol):
    """An observer of training, which must not change it; ``SilentObserver`` is a base class with empty methods."""

    def on_start(self, ranker: Ranker, *, num_epochs: int, num_examples: int) -> None:
        """Observe the start of training, with ``num_examples`` per epoch."""

    def on_epoch_start(self, epoch: int) -> None:
        """Observe the start of an epoch, counted from 1."""

    def on_step(self, step: Step) -> None:
        """Observe a finished optimiser step."""

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Observe an evaluation of the valid split."""

    def on_end(self) -> None:
        """Observe the end of training, after the best weights were loaded."""


class SilentObserver:
    """An observer that does nothing: the base class of observers that implement only some methods."""

    def on_start(self, ranker: Ranker, *, num_epochs: int, num_examples: int) -> None:
        """Do nothing."""

    def on_epoch_start(self, epoch: int) -> None:
        """Do nothing."""

    def on_step(self, step: Step) -> None:
        """Do nothing."""

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Do nothing."""

    def on_end(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class ResumePoint:
    """Where a training goes on: after ``batch`` batches of ``epoch``, which are ``step`` steps in all.

    ``num_examples`` is the number of examples in those batches, and ``num_evaluations`` that of the evaluations so far.
    """

    epoch: int
    batch: int
    step: int
    num_examples: int
    num_evaluations: int


@runtime_checkable
class ResumableObserver(Protocol):
    """An observer with a state of its own, which checkpoints keep; observers without these methods are left as new."""

    def state(self) -> Mapping[str, Any]:
        """Return the state as values for JSON; called between steps."""

    def on_resume(self, point: ResumePoint, state: Mapping[str, Any]) -> None:
        """Go on at a point; called after ``on_start``. The state is empty if the checkpoint has none of this observer.

        What the observer wrote after that point comes again, so files are to be cut there.
        """


def observer_states(observers: Sequence[TrainingObserver]) -> dict[str, Mapping[str, Any]]:
    """Collect the states of the observers that have one, by class and position among those of the class."""
    return {name: observer.state() for name, observer in _named(observers)}


def resume_observers(
    observers: Sequence[TrainingObserver], point: ResumePoint, states: Mapping[str, Mapping[str, Any]]
) -> None:
    """Hand each observer its state."""
    for name, observer in _named(observers):
        observer.on_resume(point, states.get(name, {}))


def _named(observers: Sequence[TrainingObserver]) -> Iterator[tuple[str, ResumableObserver]]:
    seen: Counter[str] = Counter()
    for observer in observers:
        if isinstance(observer, ResumableObserver):
            name = type(observer).__qualname__
            yield f"{name} {seen[name]}", observer
            seen[name] += 1
