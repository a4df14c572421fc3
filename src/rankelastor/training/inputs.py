"""The inputs of a run: the recipe, its prepared data, the device, the cost of its model."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from rankelastor.baseline.value_rates import fit_value_weights
from rankelastor.collectives.processes import ALONE, Processes
from rankelastor.config.execution import Precision
from rankelastor.data.prepare import open_or_prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.execution.device import choose_device, precision_name
from rankelastor.execution.random_state import Generators
from rankelastor.models.cost import Cost, cost_of, unfilled_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding.rows_elsewhere import RowsElsewhere
from rankelastor.nn.own_draws import OwnDraws
from rankelastor.progress import ProgressListener
from rankelastor.recipes.choices import Choice
from rankelastor.recipes.completion import complete
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.carried_state import CarriedState
from rankelastor.training.checks import check_training
from rankelastor.training.distributed.coupled_layers import share_statistics
from rankelastor.training.distributed.sharded_tables import shard
from rankelastor.training.epoch_batches import scoring_loader, training_loader
from rankelastor.training.fresh_ranker import fresh_ranker
from rankelastor.training.label_counts import LabelCounts, count_labels
from rankelastor.training.memory_check import check_memory
from rankelastor.training.memory_forecast import MemoryForecast
from rankelastor.training.output_bias import set_output_bias
from rankelastor.training.predecessor import Predecessor
from rankelastor.training.rare_as_unseen import RareAsUnseen
from rankelastor.training.size_check import check_sizes
from rankelastor.training.training import Training

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunInputs:
    """The inputs of a run.

    Attributes:
        recipe: data, model and training.
        dataset: the prepared data.
        device: device of the training.
        cost: cost of the model.
        memory: forecast of the memory.
        labels: labels of train by task.
        choices: the settings that were chosen because the recipe left them out.
        predecessor: the run that the training goes on from; None: it begins anew.
    """

    recipe: Recipe
    dataset: PreparedDataset
    device: torch.device
    cost: Cost
    memory: MemoryForecast
    labels: tuple[LabelCounts, ...]
    choices: tuple[Choice, ...] = ()
    predecessor: Predecessor | None = None

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        *,
        start_from: str | Path | None = None,
        progress: ProgressListener | None = None,
        num_processes: int = 1,
    ) -> Self:
        """Open the recipe's data, after preparing them if necessary, and check that settings and data fit each other.

        What the recipe leaves out is chosen for the data, so that ``recipe`` of the inputs is complete. With
        ``start_from``, the folder of a finished run, what it leaves out of the model is as in that run.

        Args:
            recipe: data, model and training.
            start_from: the folder of a finished run that the training goes on from.
            progress: receives the progress of preparation.
            num_processes: number of processes that train together, of which each has a share of a batch.

        Raises:
            RunError: the run to start from does not fit the recipe or its data.
            StalePreparedError: the prepared folder was made from other settings or sources.
            SettingsError: sizes do not fit each other, the monitor is not defined for the data, CUDA is missing, or
                the training does not fit in memory.
        """
        predecessor = None if start_from is None else Predecessor.open(start_from)
        if predecessor is not None:
            recipe = predecessor.complete(recipe)
        check_sizes(recipe)
        dataset = open_or_prepare(recipe.data, progress=progress)
        completed = complete(recipe, dataset.manifest)
        recipe = completed.recipe
        if predecessor is not None:
            predecessor.check(recipe, dataset)
        check_training(recipe.training, dataset)
        device = choose_device(recipe.training.execution)
        cost = cost_of(recipe.model, dataset.schema)
        memory = check_memory(recipe, dataset, device=device, num_processes=num_processes)
        return cls(recipe, dataset, device, cost, memory, count_labels(dataset), completed.choices, predecessor)

    @property
    def precision(self) -> Precision:
        """Precision of the matrix products on this device."""
        return precision_name(self.recipe.training.execution, self.device)

    def carried(self, ranker: Ranker) -> CarriedState | None:
        """Read the state that a new ranker begins with from the run that it goes on from; None without one.

        Raises:
            RunError: the state is damaged.
        """
        return None if self.predecessor is None else self.predecessor.state_for(ranker, self.dataset)

    def training(self, processes: Processes = ALONE) -> Training:
        """Build a fresh ranker from the seed alone, and open the splits.

        Args:
            processes: those that train together; the loaders give the share of this one.

        Raises:
            SettingsError: the ranker does not fit in memory, or a layer cannot share its statistics with others.
            DataError: there are fewer rows than processes.
        """
        settings, world = self.recipe.training, processes.world
        is_compiled = settings.execution.compile == "always"
        generators = Generators.seeded(settings.seed, self.device, is_compiled=is_compiled, rank=world.rank)
        tables = self._tables_in(processes)  # draws nothing of the generator below, which all processes have alike
        with OwnDraws(generators.own):
            ranker = fresh_ranker(
                self.recipe.model,
                self.dataset,
                cost=self.cost,
                device=self.device,
                elsewhere=tables,
            )
        offset = self._set_value_rates(ranker)
        if self.recipe.starts_at_base_rate and offset is None:
            self._start_at_base_rate(ranker)
        share_statistics(ranker, processes)
        return Training(
            ranker=ranker,
            train=training_loader(self.dataset, settings, world, offset=offset),
            valid=scoring_loader(self.dataset, "valid", settings, world),
            settings=settings,
            tasks=self.dataset.schema.tasks,
            generators=generators,
            rare_as_unseen=RareAsUnseen.of(self.dataset, settings.rare_as_unseen, seed=settings.seed),
            odds=self.recipe.odds,
            processes=processes,
        )

    def _tables_in(self, processes: Processes) -> RowsElsewhere | None:
        """Make what holds the rows of the embedding in several processes; None if each has all rows."""
        settings = self.recipe.training
        if not settings.distributed.is_sharded or processes.world.size == 1:
            return None
        return shard(
            unfilled_ranker(self.recipe.model, self.dataset.schema).embedding,
            names=[feature.name for feature in self.dataset.schema.with_ids],
            settings=settings,
            processes=processes,
            device=self.device,
        )

    def _set_value_rates(self, ranker: Ranker) -> NDArray[np.float32] | None:
        """Fit the value rates if the model has them; return the offset of each row of train.

        A training that goes on from another keeps the rates of that. If they are those of other rows, what they give
        for the rows of train holds no label of these, and no offset is needed.
        """
        if ranker.embedding.value_rates is None:
            return None
        fitted = fit_value_weights(self.dataset, shift=self.recipe.odds.training_shift)
        weights = torch.from_numpy(fitted.weights)
        ranker.embedding.value_rates.set(weights, torch.from_numpy(fitted.bias))
        former = weights if self.predecessor is None else self.predecessor.value_rates
        return fitted.offset if former is not None and torch.equal(former, weights) else None

    def _start_at_base_rate(self, ranker: Ranker) -> None:
        odds = self.recipe.odds
        logits = [odds.training_logit(positive=counts.positive, negative=counts.negative) for counts in self.labels]
        if not set_output_bias(ranker, self.dataset.schema, logits):
            _logger.info("the output bias stays at zero: model.kind=%s has none", self.recipe.model.kind)
