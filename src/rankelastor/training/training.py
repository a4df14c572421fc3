"""A ranker with its data and settings of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from rankelastor.collectives.processes import ALONE, Processes
from rankelastor.config.training import TrainingSettings
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.execution.random_state import Generators
from rankelastor.models.ranker import Ranker
from rankelastor.objectives.odds import UNCHANGED, Odds
from rankelastor.training.rare_as_unseen import RareAsUnseen


@dataclass(frozen=True)
class Training:
    """A ranker with its data and settings of training.

    Attributes:
        ranker: the model, changed in place.
        train: loader of the train split, shuffled by (seed, epoch).
        valid: loader of the valid split, which is scored after each epoch.
        settings: settings of training.
        tasks: names of the label columns.
        generators: where random numbers come from.
        rare_as_unseen: replacement of rare ids in each training batch; None replaces nothing.
        odds: how training changes the odds of the label; the scores of valid are corrected for it.
        processes: those that train together; the loaders give the share of this one.
    """

    ranker: Ranker
    train: BatchLoader
    valid: BatchLoader
    settings: TrainingSettings
    tasks: Sequence[str]
    generators: Generators
    rare_as_unseen: RareAsUnseen | None = None
    odds: Odds = UNCHANGED
    processes: Processes = ALONE

    @property
    def device(self) -> torch.device:
        """Device of the ranker."""
        return next(self.ranker.parameters()).device
