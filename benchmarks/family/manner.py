"""Train a ranker in the manner of the published code: dense Adam, PyTorch's dropout, whole batches, plain layers."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import torch
from benchmarks.speed.published_manner import PublishedManner, PublishedStep

from rankelastor.data.prepare import open_or_prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.evaluation.scoring import Predictions
from rankelastor.models.mixer import MixerSettings
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import SplitName
from rankelastor.training.epoch_batches import scoring_loader, training_loader

_METRICS = ["auc", "logloss"]


def train_in_the_published_manner(recipe: Recipe) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """Train, keep the weights of the best evaluation by AUC, and score test.

    Returns:
        The line of results, and the probabilities of test (row, 1).
    """
    assert isinstance(recipe.model, MixerSettings)
    began, settings = time.perf_counter(), recipe.training
    dataset = open_or_prepare(recipe.data)
    torch.manual_seed(settings.seed)
    ranker = PublishedManner(recipe.model, dataset.schema)
    rate = settings.optimiser.learning_rate
    step = PublishedStep(ranker, embedding_l2=settings.optimiser.embedding_l2, learning_rate=rate)
    loader, stopping = training_loader(dataset, settings), settings.stopping
    best, best_epoch, misses, weights, epoch = -np.inf, 0, 0, copy.deepcopy(ranker.state_dict()), 0
    while epoch < settings.epochs and misses < stopping.patience:
        epoch += 1
        ranker.train()
        for batch in loader.epoch(epoch):
            step.step(batch)
        auc = float(_score(ranker, recipe, dataset, "valid").metrics(["auc"]).value("auc"))
        if auc > best + stopping.min_delta:
            best, best_epoch, misses, weights = auc, epoch, 0, copy.deepcopy(ranker.state_dict())
        else:
            misses, rate = misses + 1, max(rate * stopping.rate_drop, stopping.min_learning_rate)
            step.set_learning_rate(rate)
    ranker.load_state_dict(weights)
    scored = {split: _score(ranker, recipe, dataset, split) for split in ("valid", "test")}
    embedding = {id(parameter) for parameter in ranker.embedding.parameters()}
    line = {
        **{split: predictions.metrics(_METRICS).as_dict() for split, predictions in scored.items()},
        "dense_parameters": sum(each.numel() for each in ranker.parameters() if id(each) not in embedding),
        "epochs": epoch,
        "best_epoch": best_epoch,
        "seconds": time.perf_counter() - began,
    }
    return line, scored["test"].probability.astype(np.float32)


def _score(ranker: PublishedManner, recipe: Recipe, dataset: PreparedDataset, split: SplitName) -> Predictions:
    ranker.eval()
    labels, probabilities = [], []
    with torch.no_grad():
        for batch in scoring_loader(dataset, split, recipe.training).epoch():
            assert batch.labels is not None
            labels.append(batch.labels.numpy())
            probabilities.append(ranker(batch).double().numpy()[:, None])
    return Predictions(
        label=np.concatenate(labels), probability=np.concatenate(probabilities), tasks=dataset.schema.tasks
    )
