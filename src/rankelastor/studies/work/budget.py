"""How much of a study is done, how long the rest takes, and whether another run may begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean


@dataclass
class Budget:
    """The wall time of the runs of a study, by which the time left is estimated.

    Attributes:
        minutes: no further run begins once the runs took so many together; None has no limit.
        jobs: runs at a time.
        seconds: wall time of each run that is over, by the name of its recipe.

    Example:
        >>> budget = Budget(minutes=None, jobs=2)
        >>> budget.add("mlp", 60.0)
        >>> budget.seconds_left({"mlp": 4})
        120.0
    """

    minutes: float | None
    jobs: int
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, recipe: str, seconds: float) -> None:
        """Add the wall time of a run."""
        self.seconds.setdefault(recipe, []).append(seconds)

    @property
    def spent(self) -> float:
        """Wall time of all runs together, in seconds."""
        return sum(sum(each) for each in self.seconds.values())

    @property
    def is_used_up(self) -> bool:
        """Whether no further run may begin."""
        return self.minutes is not None and self.spent >= 60 * self.minutes

    def seconds_left(self, left: Mapping[str, int]) -> float | None:
        """Estimate the wall time of the runs left, by number for each recipe; None before the first is over."""
        if not self.seconds:
            return None
        overall = fmean(each for runs in self.seconds.values() for each in runs)
        total = sum(number * fmean(self.seconds.get(recipe, [overall])) for recipe, number in left.items())
        return total / self.jobs
