"""Layers whose behaviour follows a schedule over the epochs of training."""

from typing import Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class Scheduled(Protocol):
    """A layer whose behaviour depends on the progress of training, which the training loop reports before every step.

    State that changes must be kept in buffers, so that a checkpoint behaves as it did when it was stored.
    """

    def set_epochs_done(self, epochs: float) -> None:
        """Set the progress of training in epochs: 0 at the first step, 1.5 in the middle of the second epoch."""


def scheduled_modules(model: nn.Module) -> list[Scheduled]:
    """List the layers inside ``model`` that follow a schedule.

    Example:
        >>> scheduled_modules(nn.Linear(2, 3))
        []
    """
    return [module for module in model.modules() if isinstance(module, Scheduled)]
