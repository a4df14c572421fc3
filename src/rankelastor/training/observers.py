"""Observers of the training loop, such as progress bars, trackers and rank samplers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from rankelastor.models.ranker import Ranker
from rankelastor.schema import Batch


@dataclass(frozen=True)
class Step:
    """One optimiser step. ``batch`` and ``loss`` are on the device: reading them synchronises with it."""

    epoch: int
    index: int
    batch: Batch
    loss: Tensor


@dataclass(frozen=True)
class Evaluation:
    """An evaluation of the valid split after an epoch. ``train_loss`` is the epoch's mean loss, without L2."""

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    metrics: dict[str, Any]
    improved: bool
    seconds: float


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
