"""Run one training of the tables in a process of its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.family.manner import train_in_the_published_manner
from benchmarks.family.plan import FRAPPE, HISTORY, SHARINGS, Job
from benchmarks.family.trees import fit_baseline

from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.synthetic import write_click_log
from rankelastor.evaluation.scoring import Predictions, score_split
from rankelastor.execution.allocator import keep_large_blocks
from rankelastor.recipes.load import load_recipe, recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.epoch_batches import scoring_loader
from rankelastor.training.run import train

NUM_TWO_LABEL_ROWS = 200_000


def recipe_of(job: Job, work: Path, changes: dict[str, Any]) -> Recipe:
    """Load the recipe of a job, with its draw, its seed, and changes of the command line."""
    own = {**job.changes, "training.seed": job.seed, "training.threads": 1, "training.baseline": False, **changes}
    match job.study:
        case "history":
            recipe = load_recipe(HISTORY / f"{job.model}.yaml")
            own = {"training.epochs": 30, **own}
        case "tasks":
            recipe = _two_labels(job, work)
        case _:
            recipe = load_recipe(FRAPPE / f"{job.model.split(',')[0]}.yaml")
    return with_overrides(recipe, {"data.prepared": str(work / "prepared" / _data_of(job)), **own})


def _data_of(job: Job) -> str:
    return {"history": "history", "tasks": "two_labels"}.get(job.study, "frappe")


def _labels(dataset: PreparedDataset) -> np.ndarray[Any, Any]:
    (batch,) = BatchLoader(dataset.split("test"), batch_size=dataset.split("test").num_rows).epoch()
    assert batch.labels is not None
    return batch.labels.numpy()


def prepare_data(studies: list[str], work: Path) -> None:
    """Prepare the data of the studies once, before processes share them."""
    if "tasks" in studies and not (work / "two_labels" / "truth.json").is_file():
        write_click_log(work / "two_labels", num_rows=NUM_TWO_LABEL_ROWS, second_label=True)
    wanted = {"history": "rankelastor", "tasks": "shared_bottom"}
    for study, model in [*((each, wanted[each]) for each in studies if each in wanted), ("frappe", "rankelastor")]:
        if study in studies or study == "frappe":
            recipe = recipe_of(Job(study, model, 0, 1), work, {})
            if not Path(recipe.data.prepared).exists():
                prepare(recipe.data)


def run_job(job: Job, work: Path, changes: dict[str, Any]) -> dict[str, Any]:
    """Run a job and return its line of results; the probabilities of test go to a file beside."""
    torch.set_num_threads(1)
    keep_large_blocks()
    began = time.perf_counter()
    if job.study == "trees":
        line, scores = fit_baseline(job, work / "prepared" / "frappe")
    elif job.model.endswith("manner"):
        line, scores = train_in_the_published_manner(recipe_of(job, work, changes))
    else:
        line, scores = _train(job, work, changes)
    place = work / "scores" / f"{job.key.replace('/', '-')}.npy"
    place.parent.mkdir(parents=True, exist_ok=True)
    np.save(place, scores)
    labels = place.parent / f"labels-{_data_of(job)}.npy"
    if not labels.is_file():
        np.save(labels, _labels(PreparedDataset.open(work / "prepared" / _data_of(job))))
    seconds = line.pop("seconds", time.perf_counter() - began)
    return {**job.as_dict(), "key": job.key, "seconds": seconds, **line, "scores": str(place.relative_to(work))}


def _train(job: Job, work: Path, changes: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    recipe = recipe_of(job, work, changes)
    name = f"{job.key.replace('/', '-').replace(' ', '_')}-{time.time_ns()}"
    run = train(recipe, folder=work / "runs" / name)
    result = run.result
    line = {
        "valid": result.valid,
        "test": result.test,
        "dense_parameters": result.cost.dense_parameters,
        "flops": result.cost.flops_per_example,
        "seconds": result.seconds,
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
    }
    return line, _scores(recipe, run.ranker).probability.astype(np.float32)


def _scores(recipe: Recipe, ranker: Any) -> Predictions:
    dataset = PreparedDataset.open(recipe.data.prepared)
    loader = scoring_loader(dataset, "test", recipe.training)
    return score_split(ranker, loader, recipe.training.execution, tasks=dataset.schema.tasks)


def _two_labels(job: Job, work: Path) -> Recipe:
    tasks = SHARINGS[job.model]
    numbers = {"kind": "numeric", "column": ["price", "age", "depth"], "transform": "standardise"}
    ids = ["user", "ad", "site", "campaign", "category", "city", "device", "hour", "slot"]
    return recipe_from_values(
        {
            "name": "two_labels",
            "data": {
                "prepared": str(work / "prepared" / "two_labels"),
                "files": {
                    "folder": str(work / "two_labels"),
                    "train": "train.csv",
                    "valid": "valid.csv",
                    "test": "test.csv",
                },
                "labels": {"click": "click", "buy": "buy"},
                "fields": [{"kind": "categorical", "column": ids, "min_count": 2}, numbers],
            },
            "model": {
                "kind": "mlp",
                "embedding_dim": 10,
                "hidden_dims": [128],
                "dropout": 0.1,
                **({} if tasks is None else {"tasks": tasks}),
            },
            "training": {
                "batch_size": 2048,
                "embedding_l2": 0.005,
                "monitor": {"click.auc": 1, "buy.auc": 1},
            },
        }
    )
