"""Tune one recipe of a study, in this process or in another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rankelastor.errors import RankElastorError
from rankelastor.progress import ProgressListener
from rankelastor.recipes.load import recipe_from_values
from rankelastor.studies.work.one_run import Outcome
from rankelastor.training.interruption import Interruption
from rankelastor.tuning.record import TuneResult
from rankelastor.tuning.space import Space
from rankelastor.tuning.tune import tune

_KEY = "tuning"


@dataclass(frozen=True)
class TuningOrder:
    """What a tuning needs, as plain values that can be sent to a process.

    Attributes:
        recipe: the recipe as it is given.
        folder: the folder of the tuning; one that was stopped is gone on with.
        trials: number of trials in all.
        seed: seed of the draws.
        space: what is drawn.
    """

    recipe: Mapping[str, Any]
    folder: str
    trials: int
    seed: int
    space: Mapping[str, Any]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read an order back from the values of ``as_dict``."""
        return cls(**values[_KEY])

    @staticmethod
    def is_one(values: Mapping[str, Any]) -> bool:
        """Tell the values of a tuning from those of a run."""
        return _KEY in values

    def as_dict(self) -> dict[str, Any]:
        """Convert to values for JSON."""
        return {_KEY: asdict(self)}

    def carry_out(self, interruption: Interruption | None = None) -> Outcome:
        """Tune the recipe and leave the trials in the folder, or say why that failed."""
        try:
            self.result(interruption)
        except RankElastorError as error:
            return {"status": "failed", "reason": str(error)}
        return {"status": "finished"}

    def result(
        self, interruption: Interruption | None = None, *, progress: ProgressListener | None = None
    ) -> TuneResult:
        """Tune the recipe, or read what was found where that is done.

        Raises:
            SettingsError: optuna is missing, or nothing drawn fits the data.
            RunError: the folder holds another tuning, or no trial had a result.
        """
        return tune(
            recipe_from_values(self.recipe),
            trials=self.trials,
            folder=Path(self.folder),
            space=Space.of(self.space),
            seed=self.seed,
            progress=progress,
            interruption=interruption,
        )
