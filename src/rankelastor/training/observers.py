"""What the training loop tells others: progress bars, trackers, spectrum samplers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from rankelastor.models.ranker import Ranker
from rankelastor.schema import Batch


@dataclass(frozen=True)
class Step:
    """One optimiser step. ``batch`` and ``loss`` lie on the device: reading them waits for it."""

    epoch: int
    index: int
    batch: Batch
    loss: Tensor


@dataclass(frozen=True)
class Evaluation:
    """The valid split scored after an epoch. ``train_loss`` is the epoch's mean cross-entropy, without L2."""

    epoch: int
    step: int
    learning_rate: float
    train_loss: float
    metrics: dict[str, Any]
    improved: bool
    seconds: float


class TrainingObserver(Protocol):
    """Hears what happens while training; it changes nothing. Inherit ``SilentObserver`` to hear some of it."""

    def on_start(self, ranker: Ranker, *, num_epochs: int, num_examples: int) -> None:
        """Training begins; ``num_examples`` are seen in one epoch."""

    def on_epoch_start(self, epoch: int) -> None:
        """An epoch begins, counted from 1."""

    def on_step(self, step: Step) -> None:
        """The optimiser has stepped."""

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """The valid split was scored."""

    def on_end(self) -> None:
        """Training has ended, the best weights are back in place."""


class SilentObserver:
    """Does nothing with what it hears: the base of observers that need a part of it."""

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
