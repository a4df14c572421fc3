"""Which steps of a training are sampled."""

from __future__ import annotations

from typing import Literal

EveryStep = int | Literal["auto"] | None

LARGEST_GAP = 200
STEPS_PER_GAP = 20
"""The gap between samples is the number of steps done over this: 5 % of the training so far."""


def is_sampled(step: int, *, every_steps: EveryStep) -> bool:
    """Tell whether a step, counted from 1, is sampled: the first and every n-th; with "auto" see `next_sample`.

    Example:
        >>> [step for step in range(1, 8) if is_sampled(step, every_steps=3)]
        [1, 3, 6]
        >>> sum(is_sampled(step, every_steps="auto") for step in range(1, 1001))
        110
    """
    if every_steps is None:
        return False
    if every_steps == "auto":
        return _is_in_growing_steps(step)
    return step == 1 or step % every_steps == 0


def next_sample(step: int) -> int:
    """Compute the step that is sampled after a sampled one: later by 5 % of the steps done, at least 1, at most 200.

    The number of steps of a training is not known before it ends, since it may stop early. Gaps that grow with it give
    every training enough samples: 20 of 20 steps, 61 of 100, 110 of 1,000, 139 of 4,000, and one in 200 steps beyond.

    Example:
        >>> [next_sample(step) for step in (1, 20, 100, 4000, 10_000)]
        [2, 21, 105, 4200, 10200]
    """
    return step + min(max(step // STEPS_PER_GAP, 1), LARGEST_GAP)


def _is_in_growing_steps(step: int) -> bool:
    """Follow the samples from the first one on; after step 4,000 the gaps are equal."""
    sampled = 1
    while sampled < step:
        following = next_sample(sampled)
        if following - sampled == LARGEST_GAP:
            return (step - sampled) % LARGEST_GAP == 0
        sampled = following
    return sampled == step
