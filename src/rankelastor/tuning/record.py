"""What became of one trial, and the result of a tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rankelastor.recipes.recipe import Recipe

TrialState = Literal["finished", "pruned", "does not fit", "diverged"]


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    Attributes:
        index: its number, from 0, which is the recipe as it stands.
        state: what became of it; ``pruned`` was stopped early, since it was worse than the median of those before.
        drawn: the values that were drawn, by the name of the draw; empty for the recipe as it stands.
        value: the monitor at the best evaluation, so that larger is better; None if there was none.
        metrics: metrics of the valid split at the best evaluation so far.
        epochs: evaluations that were made.
        seconds: time that it took.
        reason: why it does not fit or diverged.
    """

    index: int
    state: TrialState
    drawn: dict[str, Any]
    value: float | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    epochs: int = 0
    seconds: float = 0.0
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Write the trial as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class TuneResult:
    """The result of a tuning.

    Attributes:
        folder: folder of the tuning.
        trials: all trials, in order.
        recipe: the recipe with the settings of the best one.
    """

    folder: Path
    trials: tuple[TrialRecord, ...]
    recipe: Recipe

    @property
    def best(self) -> TrialRecord:
        """The best trial."""
        return ranked(self.trials)[0]

    def __repr__(self) -> str:
        value = self.best.value
        assert value is not None, "the best trial has a value"
        return f"TuneResult({str(self.folder)!r}, {len(self.trials)} trials, best {self.best.index}: {value:.6f})"

    def as_dict(self) -> dict[str, Any]:
        """Write the result as plain values."""
        return {
            "folder": str(self.folder),
            "best": self.best.as_dict(),
            "trials": [trial.as_dict() for trial in self.trials],
        }


def ranked(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """List the trials that finished, the best first.

    Example:
        >>> trials = [TrialRecord(0, "finished", {}, 0.7), TrialRecord(1, "pruned", {}, 0.9)]
        >>> [trial.index for trial in ranked([*trials, TrialRecord(2, "finished", {}, 0.8)])]
        [2, 0]
    """
    finished = [(trial.value, trial) for trial in trials if trial.state == "finished" and trial.value is not None]
    return [trial for _, trial in sorted(finished, key=lambda pair: -pair[0])]
