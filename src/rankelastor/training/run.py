"""From a recipe to a run folder: prepare if needed, train, test."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset, copy_feature_state
from rankelastor.errors import SettingsError
from rankelastor.evaluation.scoring import score_split
from rankelastor.evaluation.unseen import count_unseen
from rankelastor.execution.allocator import keep_large_blocks
from rankelastor.execution.device import choose_device, precision_name
from rankelastor.metrics.monitor import check_monitor
from rankelastor.models.build import build_ranker
from rankelastor.models.cost import Cost, cost_of
from rankelastor.models.ranker import Ranker
from rankelastor.progress import ProgressListener
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.environment import describe_environment
from rankelastor.runs.run_folder import RunFolder, default_run_folder
from rankelastor.runs.weights import load_weights, save_weights
from rankelastor.schema import SPLITS
from rankelastor.storage import explained_storage_errors
from rankelastor.training.epoch_batches import scoring_loader, training_loader
from rankelastor.training.initial_vectors import with_pretrained_vectors
from rankelastor.training.loop import Fit, fit
from rankelastor.training.observers import Evaluation, SilentObserver, TrainingObserver
from rankelastor.training.rare_as_unseen import RareAsUnseen
from rankelastor.training.speed import speed_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedRun:
    """A finished run: its folder, its ranker with the best weights in evaluation mode, ``result.json``."""

    folder: Path
    ranker: Ranker
    result: dict[str, Any]


def train(
    recipe: Recipe,
    *,
    folder: str | Path | None = None,
    observers: Sequence[TrainingObserver] = (),
    progress: ProgressListener | None = None,
) -> TrainedRun:
    """Train the recipe's ranker and test it.

    Prepares the data first where the prepared folder does not exist yet. Two calls with the same recipe on the same
    machine give identical results.

    Args:
        recipe: data, model and training.
        folder: the run folder, which must not exist; None takes ``runs/<name of the recipe>``.
        observers: told of every step and evaluation.
        progress: told of preparation and of the final scoring.

    Raises:
        RunError: the folder exists, or training diverged.
        StalePreparedError: the prepared folder was made from other settings or sources.
        SettingsError: the model's sizes do not go together, or the data do not give the monitor.
    """
    began = time.perf_counter()
    keep_large_blocks()
    dataset = open_or_prepare(recipe, progress=progress)
    has_group = dataset.split("valid").has_group
    check_monitor(recipe.training.monitor, tasks=dataset.schema.tasks, has_group=has_group)
    _warn_of_few_steps(recipe, dataset)
    device = choose_device(recipe.training)
    precision = precision_name(recipe.training, device)
    cost = cost_of(recipe.model, dataset.schema)
    with _new_run_folder(Path(folder or default_run_folder(recipe)), recipe) as run:
        with explained_storage_errors(run.features):
            copy_feature_state(dataset.folder, run.features)
        run.write_json(
            "environment.json",
            {
                **describe_environment(device),
                "precision": precision,
                "seed": recipe.training.seed,
                "data_fingerprint": dataset.fingerprint,
            },
        )
        torch.manual_seed(recipe.training.seed)
        ranker = _fresh_ranker(recipe, dataset, cost).to(device)
        fitted = fit(
            ranker,
            train=training_loader(dataset, recipe.training),
            valid=scoring_loader(dataset, "valid", recipe.training),
            settings=recipe.training,
            tasks=dataset.schema.tasks,
            save_best=lambda: save_weights(ranker, run.best_weights),
            rare_as_unseen=RareAsUnseen.of(dataset, recipe.training.rare_as_unseen, seed=recipe.training.seed),
            observers=[_MetricsWriter(run), *observers],
            progress=progress,
        )
        speed = speed_of(cost, examples_per_second=fitted.examples_per_second, settings=recipe.training, device=device)
        load_weights(ranker, run.best_weights)
        for observer in observers:
            observer.on_end()
        result = {
            "recipe": recipe.name,
            "model": recipe.model.kind,
            "seed": recipe.training.seed,
            **_final_metrics(ranker.eval(), dataset, recipe, fitted, progress=progress),
            "cost": asdict(cost),
            **_effort(fitted),
            "precision": precision,
            "speed": speed.as_dict(),
            "seconds": round(time.perf_counter() - began, 3),
        }
        run.write_json("result.json", result)
    return TrainedRun(folder=run.path, ranker=ranker, result=result)


def open_or_prepare(recipe: Recipe, *, progress: ProgressListener | None = None) -> PreparedDataset:
    """The recipe's prepared data set; prepared now where the folder does not exist.

    Raises:
        StalePreparedError: the folder exists, made from other settings or sources.
    """
    if not Path(recipe.data.prepared).exists():
        return prepare(recipe.data, progress=progress)
    return PreparedDataset.open_matching(recipe.data)


def _final_metrics(
    ranker: Ranker, dataset: PreparedDataset, recipe: Recipe, fitted: Fit, *, progress: ProgressListener | None
) -> dict[str, Any]:
    final: dict[str, Any] = {"valid": fitted.best.metrics}
    predictions = {"valid": fitted.best_predictions}
    if "test" in dataset.splits:
        loader = scoring_loader(dataset, "test", recipe.training)
        predictions["test"] = score_split(
            ranker, loader, recipe.training, tasks=dataset.schema.tasks, progress=progress
        )
        final["test"] = predictions["test"].metrics().as_dict()
    final["unseen"] = {
        split: count_unseen(scoring_loader(dataset, split, recipe.training), dataset.manifest).report(
            predictions[split]
        )
        for split in SPLITS
        if split in predictions
    }
    return final


def _fresh_ranker(recipe: Recipe, dataset: PreparedDataset, cost: Cost) -> Ranker:
    try:
        return with_pretrained_vectors(build_ranker(recipe.model, dataset.schema), dataset)
    except RuntimeError as error:  # torch's allocator
        num_parameters = cost.dense_parameters + cost.embedding_parameters
        raise SettingsError(
            f"the model must fit in memory, but {num_parameters:,} parameters take {4e-9 * num_parameters:,.1f} GB; "
            "try a smaller model.token_dim, model.num_tokens or model.embedding_dim"
        ) from error


def _effort(fitted: Fit) -> dict[str, Any]:
    return {
        "best_epoch": fitted.best.epoch,
        "epochs": fitted.num_epochs,
        "steps": fitted.num_steps,
        "examples_per_second": round(fitted.examples_per_second, 1),
        "data_wait_share": round(fitted.data_wait_share, 6),
        "compiled": fitted.compiled,
    }


def _warn_of_few_steps(recipe: Recipe, dataset: PreparedDataset) -> None:
    """Training works, but a batch of everything is seldom meant."""
    num_rows, batch_size = dataset.manifest.splits["train"].num_rows, recipe.training.batch_size
    if batch_size > num_rows:
        logger.warning(
            "training.batch_size should be smaller than the data, but %s was given for %s rows: "
            "an epoch is 1 step; try training.batch_size=%s",
            f"{batch_size:,}",
            f"{num_rows:,}",
            max(1, num_rows // 10),
        )


@contextmanager
def _new_run_folder(path: Path, recipe: Recipe) -> Iterator[RunFolder]:
    """A new run folder. Where the run fails or is stopped, it stays only if it holds weights that can be used."""
    run = RunFolder.create(path, recipe)
    try:
        yield run
    except BaseException:
        if run.best_weights.is_file():
            logger.warning("%s keeps the best weights so far; evaluate and predict can use them", run.path)
        else:
            run.remove()
        raise


class _MetricsWriter(SilentObserver):
    """Writes each evaluation to ``metrics.jsonl``."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run

    def on_evaluation(self, evaluation: Evaluation) -> None:
        self._run.append_metrics(asdict(evaluation))
