"""What a run is made of: the recipe, its prepared data, the device, the cost of its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch

from rankelastor.config.execution import Precision
from rankelastor.data.prepare import open_or_prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.execution.device import choose_device, precision_name
from rankelastor.models.cost import Cost, cost_of
from rankelastor.progress import ProgressListener
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.checks import check_training
from rankelastor.training.epoch_batches import scoring_loader, training_loader
from rankelastor.training.fresh_ranker import fresh_ranker
from rankelastor.training.loop import Training
from rankelastor.training.rare_as_unseen import RareAsUnseen


@dataclass(frozen=True)
class RunInputs:
    """What a run starts from.

    Attributes:
        recipe: data, model and training.
        dataset: prepared.
        device: that trains.
        cost: of the model.
    """

    recipe: Recipe
    dataset: PreparedDataset
    device: torch.device
    cost: Cost

    @classmethod
    def of(cls, recipe: Recipe, *, progress: ProgressListener | None = None) -> Self:
        """Open the recipe's data, prepared now where they are not, and check that its parts go together.

        Raises:
            StalePreparedError: the prepared folder was made from other settings or sources.
            SettingsError: the model's sizes do not go together, the data do not give the monitor, or there is no CUDA.
        """
        dataset = open_or_prepare(recipe.data, progress=progress)
        check_training(recipe.training, dataset)
        device = choose_device(recipe.training.execution)
        return cls(recipe, dataset, device, cost_of(recipe.model, dataset.schema))

    @property
    def precision(self) -> Precision:
        """Of the matrix products on this device."""
        return precision_name(self.recipe.training.execution, self.device)

    def training(self) -> Training:
        """Seed PyTorch, build a fresh ranker, and open the splits.

        Raises:
            SettingsError: the ranker does not fit in memory.
        """
        settings = self.recipe.training
        torch.manual_seed(settings.seed)
        return Training(
            ranker=fresh_ranker(self.recipe.model, self.dataset, cost=self.cost, device=self.device),
            train=training_loader(self.dataset, settings),
            valid=scoring_loader(self.dataset, "valid", settings),
            settings=settings,
            tasks=self.dataset.schema.tasks,
            rare_as_unseen=RareAsUnseen.of(self.dataset, settings.rare_as_unseen, seed=settings.seed),
        )
