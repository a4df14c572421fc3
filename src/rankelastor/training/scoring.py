"""Score a split with a ranker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray

from rankelastor.config.training import TrainingSettings
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.errors import RunError
from rankelastor.metrics.report import Metrics, evaluate_predictions
from rankelastor.models.ranker import Ranker
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.schema import Batch
from rankelastor.training.device import autocast


@dataclass(frozen=True)
class Predictions:
    """Labels, probabilities and groups of a split, row by row."""

    label: Float32[ndarray, " example"]
    probability: Float64[ndarray, " example"]
    group: Int64[ndarray, " example"] | None

    def metrics(self) -> Metrics:
        """All metrics of these predictions."""
        return evaluate_predictions(self.label, self.probability, self.group)


def probabilities(ranker: Ranker, batch: Batch, settings: TrainingSettings) -> Float64[ndarray, " batch"]:
    """Click probabilities of a batch, the sigmoid in float64 so that close scores stay apart.

    At most ``training.evaluation_batch_size`` examples pass through the ranker at a time.

    Raises:
        RunError: the ranker puts out numbers that are not finite.
    """
    device = next(ranker.parameters()).device
    with torch.inference_mode(), autocast(settings, device):
        parts = [ranker(part.to(device)) for part in batch.split(settings.evaluation_batch_size)]
        logits = torch.cat(parts) if parts else torch.empty(0)
    if not torch.isfinite(logits).all():
        raise RunError(
            "the ranker's logits must be finite, but some are not: training has diverged; "
            "try a smaller training.learning_rate, or training.precision=fp32"
        )
    scores: Float64[ndarray, " batch"] = torch.sigmoid(logits.double()).cpu().numpy()
    return scores


def score_split(
    ranker: Ranker, loader: BatchLoader, settings: TrainingSettings, *, progress: ProgressListener | None = None
) -> Predictions:
    """Predictions for every row that the loader gives, in evaluation mode; the ranker's mode is put back."""
    progress = progress or SilentProgress()
    was_training = ranker.training
    ranker.eval()
    progress.begin("scoring", total=loader.num_rows, unit="examples")
    label, probability, group = [], [], []
    try:
        for batch in loader.epoch():
            probability.append(probabilities(ranker, batch, settings))
            assert batch.label is not None, "a prepared split has labels"
            label.append(batch.label.numpy())
            if batch.group is not None:
                group.append(batch.group.numpy())
            progress.advance(batch.num_examples)
    finally:
        progress.end()
        ranker.train(was_training)
    return Predictions(
        label=np.concatenate(label),
        probability=np.concatenate(probability),
        group=np.concatenate(group) if group else None,
    )
