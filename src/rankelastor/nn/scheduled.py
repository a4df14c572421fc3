"""Layers that change with the progress of training."""

from typing import Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class Scheduled(Protocol):
    """A layer whose behaviour depends on how far training is; the training loop tells it before every step.

    What changes is kept in buffers, so that stored weights behave as they did when they were stored.
    """

    def set_epochs_done(self, epochs: float) -> None:
        """Training has come so far, counted in epochs: 0 at the first step, 1.5 in the middle of the second epoch."""


def scheduled_modules(model: nn.Module) -> list[Scheduled]:
    """List the layers inside ``model`` that must be told how far training is.

    Example:
        >>> scheduled_modules(nn.Linear(2, 3))
        []
    """
    return [module for module in model.modules() if isinstance(module, Scheduled)]
