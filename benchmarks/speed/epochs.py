"""Time end-to-end epochs: load the train split, train on it, score the valid split and compute its metrics."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.speed.published_manner import PublishedManner, PublishedStep
from sklearn.metrics import log_loss, roc_auc_score
from torch.utils.data import DataLoader, Dataset

from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepare import open_or_prepare, prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.synthetic import write_click_log
from rankelastor.evaluation.scoring import score_split
from rankelastor.execution.allocator import keep_large_blocks
from rankelastor.execution.device import choose_device
from rankelastor.models.build import build_ranker
from rankelastor.models.cost import cost_of
from rankelastor.recipes.load import load_recipe
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import Batch, SplitName
from rankelastor.studies.demo import demo_models, demo_recipe
from rankelastor.training.epoch_batches import epoch_batches, scoring_loader, training_loader
from rankelastor.training.rare_as_unseen import RareAsUnseen
from rankelastor.training.step import Stepper

OneEpoch = Callable[[], float]


class OneMatrix(Dataset[np.ndarray]):
    """Dataset in the style of the published code: all columns in one float64 matrix, read row by row."""

    def __init__(self, dataset: PreparedDataset, split: SplitName) -> None:
        batch = next(iter(BatchLoader(dataset.split(split), batch_size=dataset.split(split).num_rows).epoch()))
        assert batch.labels is not None
        columns = [batch.categorical.double(), batch.numeric.double(), batch.labels.double()]
        self._num_categorical = batch.categorical.shape[1]
        self._matrix = torch.cat(columns, dim=1).numpy()

    def __len__(self) -> int:
        return len(self._matrix)

    def __getitem__(self, index: int) -> np.ndarray:
        row: np.ndarray = self._matrix[index]
        return row

    def batch(self, rows: torch.Tensor) -> Batch:
        """Convert a collated matrix to a batch."""
        ids, numbers = rows[:, : self._num_categorical].long(), rows[:, self._num_categorical : -1].float()
        return Batch(categorical=ids, numeric=numbers, labels=rows[:, -1:].float(), group=None)


@dataclass(frozen=True)
class EpochSize:
    """Number of examples and FLOPs of one epoch."""

    examples: int
    flops: int


@dataclass(frozen=True)
class Epoch:
    """A recipe whose epochs are timed."""

    name: str
    recipe: Callable[[], Recipe]

    def size(self) -> EpochSize:
        """Count the training examples, and the FLOPs of training on them and scoring the valid split."""
        recipe = self.recipe()
        dataset = open_or_prepare(recipe.data)
        cost = cost_of(recipe.model, dataset.schema)
        learned, scored = (dataset.split(split).num_rows for split in ("train", "valid"))
        return EpochSize(learned, learned * cost.training_flops_per_example + scored * cost.flops_per_example)

    def ours(self, chosen: Mapping[str, Any]) -> OneEpoch:
        """Build a function that runs the next epoch of ``train``, without sampling the spectrum.

        Args:
            chosen: device and precision.
        """
        keep_large_blocks()
        recipe = self.recipe()
        dataset, settings = open_or_prepare(recipe.data), recipe.training
        execution = settings.execution.model_copy(update=dict(chosen))
        device = choose_device(execution)
        torch.manual_seed(settings.seed)
        ranker = build_ranker(recipe.model, dataset.schema).to(device)
        stepper = Stepper(ranker, settings.optimiser, execution, batch_size=settings.batch_size)
        train, valid = training_loader(dataset, settings), scoring_loader(dataset, "valid", settings)
        epochs = itertools.count(1)
        rare = RareAsUnseen.of(dataset, settings.rare_as_unseen, seed=settings.seed)

        def one_epoch() -> float:
            ranker.train()
            epoch = next(epochs)
            with epoch_batches(
                train, epoch=epoch, read_ahead=execution.read_ahead, device=device, rare_as_unseen=rare
            ) as batches:
                for batch in batches:
                    stepper.step(batch)
            stepper.complete_rows()
            return score_split(ranker, valid, execution, tasks=dataset.schema.tasks).metrics().value("auc")

        return one_epoch

    def published(self, chosen: Mapping[str, Any]) -> OneEpoch:
        """Build a function that runs the next epoch in the style of the published code, always in fp32."""
        device = torch.device(chosen["device"])
        recipe = self.recipe()
        dataset, settings = open_or_prepare(recipe.data), recipe.training
        torch.manual_seed(settings.seed)
        ranker = PublishedManner(recipe.model, dataset.schema).to(device)
        optimiser = settings.optimiser
        stepper = PublishedStep(ranker, embedding_l2=optimiser.embedding_l2, learning_rate=optimiser.learning_rate)
        train, valid = OneMatrix(dataset, "train"), OneMatrix(dataset, "valid")
        batches = DataLoader(train, batch_size=settings.batch_size, shuffle=True)
        valid_batches = DataLoader(valid, batch_size=settings.batch_size)

        def one_epoch() -> float:
            ranker.train()
            for rows in batches:
                stepper.step(train.batch(rows).to(device))
            ranker.eval()
            with torch.no_grad():
                scored = [(batch.labels[:, 0], ranker(batch.to(device))) for batch in map(valid.batch, valid_batches)]
            label = np.concatenate([label.numpy() for label, _ in scored])
            score = np.concatenate([score.cpu().numpy().astype(np.float64) for _, score in scored])
            log_loss(label, score)
            return float(roc_auc_score(label, score))

        return one_epoch


def _frappe(model: str) -> Recipe:
    folder = _scratch() / "frappe"
    return load_recipe(Path(f"recipes/private/frappe/{model}.yaml"), {"data.prepared": str(folder)})


def _demo(index: int) -> Recipe:
    folder = _scratch() / "demo"
    log = write_click_log(folder / "log", num_rows=200_000, seed=7)
    data = log.data_settings(folder / "prepared")
    if not (folder / "prepared").exists():
        prepare(data)
    return demo_recipe(demo_models()[index], data, seed=7)


def _scratch() -> Path:
    """Return the folder of the prepared data that the processes of one benchmark share."""
    return Path(os.environ.get("RANKELASTOR_BENCHMARKS", tempfile.gettempdir())) / "rankelastor-benchmarks"


EPOCHS = {
    epoch.name: epoch
    for epoch in (
        Epoch("frappe-rankelastor", lambda: _frappe("rankelastor")),
        Epoch("frappe-rankmixer", lambda: _frappe("rankmixer")),
        Epoch("demo-rankmixer", lambda: _demo(0)),
        Epoch("demo-rankelastor", lambda: _demo(1)),
    )
}
