"""Compute the learning rate of a step from its schedule."""

from __future__ import annotations

import math

from rankelastor.config.schedule import CosineSchedule, ScheduleSettings

CHANGES_PER_EPOCH = 50
"""A change of the rate brings all embedding rows up to date, so that it is changed after stretches of steps."""


def rate_factor(schedule: ScheduleSettings, step: int, *, steps_per_epoch: int, num_epochs: int) -> float:
    """Compute the factor of the learning rate at a step; it stays the same within a fiftieth of an epoch.

    Args:
        schedule: the schedule.
        step: number of steps that are done.
        steps_per_epoch: number of steps of an epoch.
        num_epochs: largest number of epochs of the training.

    Example:
        >>> cosine = CosineSchedule(kind="cosine", epochs=4, warmup_epochs=1, final_share=0.0)
        >>> [round(rate_factor(cosine, step, steps_per_epoch=2, num_epochs=100), 4) for step in range(0, 9, 2)]
        [0.5, 1.0, 0.75, 0.25, 0.0]
        >>> rate_factor(cosine, 1, steps_per_epoch=2, num_epochs=100)
        1.0
    """
    stretch = max(1, steps_per_epoch // CHANGES_PER_EPOCH)
    begun = step // stretch * stretch
    warmup: int = round(schedule.warmup_epochs * steps_per_epoch)
    if begun + stretch < warmup:
        return (begun + stretch) / warmup
    if not isinstance(schedule, CosineSchedule):
        return 1.0
    last = (schedule.epochs or num_epochs) * steps_per_epoch
    done = min(1.0, max(0, begun - warmup) / max(1, last - warmup))
    share: float = schedule.final_share
    return share + (1 - share) * (1 + math.cos(math.pi * done)) / 2
