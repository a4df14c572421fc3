"""Use a run again: its ranker, and its metrics on a split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import StalePreparedError
from rankelastor.evaluation.scoring import score_split
from rankelastor.evaluation.unseen import count_unseen
from rankelastor.execution.allocator import keep_large_blocks
from rankelastor.execution.device import choose_device
from rankelastor.metrics.report import Metrics
from rankelastor.models.build import build_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.progress import ProgressListener
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.run_folder import RunFolder
from rankelastor.runs.weights import load_weights
from rankelastor.schema import SplitName


@dataclass(frozen=True)
class LoadedRun:
    """A run read back: its recipe, what turns raw rows into batches, and its ranker in evaluation mode."""

    folder: Path
    recipe: Recipe
    encoder: RowEncoder
    ranker: Ranker

    def dataset(self) -> PreparedDataset:
        """The prepared data that the run was trained on.

        Raises:
            StalePreparedError: the prepared folder was made anew from other data or settings since.
            DataError: it is missing.
        """
        dataset = PreparedDataset.open_matching(self.recipe.data)
        if dataset.fingerprint != self.encoder.manifest.fingerprint:
            raise StalePreparedError(
                f"{dataset.folder} must be what {self.folder} was trained on, but it was prepared again "
                "from other data; train anew, or bring the former files back and run `rankelastor prepare RECIPE`"
            )
        return dataset


def load_run(folder: str | Path) -> LoadedRun:
    """Read a run folder back.

    Raises:
        RunError: it is missing, or has no weights, or weights of another model.
    """
    run = RunFolder.open(folder)
    recipe = run.recipe()
    encoder = RowEncoder.load(run.features)
    ranker = build_ranker(recipe.model, encoder.schema).to(choose_device(recipe.training))
    load_weights(ranker, run.best_weights)
    return LoadedRun(folder=run.path, recipe=recipe, encoder=encoder, ranker=ranker.eval())


def evaluate(folder: str | Path, *, split: SplitName = "test", progress: ProgressListener | None = None) -> Metrics:
    """Metrics of a run's best weights on a split of the prepared data that it was trained on.

    Raises:
        RunError: the run folder cannot be used.
        StalePreparedError: the prepared folder has changed since.
        DataError: the prepared folder or the split is missing.
    """
    return evaluate_with_unseen(folder, split=split, progress=progress).metrics


@dataclass(frozen=True)
class Evaluated:
    """Metrics of a split, and what of it training has not seen (``UnseenValues.report``)."""

    metrics: Metrics
    unseen: dict[str, Any]


def evaluate_with_unseen(
    folder: str | Path, *, split: SplitName = "test", progress: ProgressListener | None = None
) -> Evaluated:
    """Metrics as ``evaluate`` gives them, with the share of unseen values by field and the AUC of rows that hold any.

    Raises:
        RunError: the run folder cannot be used.
        StalePreparedError: the prepared folder has changed since.
        DataError: the prepared folder or the split is missing.
    """
    keep_large_blocks()
    run = load_run(folder)
    loader = BatchLoader(run.dataset().split(split), batch_size=run.recipe.training.evaluation_batch_size)
    tasks = run.encoder.schema.tasks
    predictions = score_split(run.ranker, loader, run.recipe.training, tasks=tasks, progress=progress)
    return Evaluated(predictions.metrics(), count_unseen(loader, run.encoder.manifest).report(predictions))
