"""Score a split with a ranker."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from rankelastor.config.execution import ExecutionSettings
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.errors import RunError
from rankelastor.execution.cores import compute_threads, one_core
from rankelastor.execution.device import autocast
from rankelastor.execution.hooks import has_hooks
from rankelastor.execution.lowering import Lowering
from rankelastor.metrics.report import Metrics, evaluate_predictions
from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.schema import Batch

_FEW_EXAMPLES = 64  # scored before a second thread would have begun
_LEAST_A_SLICE = 1024  # of large models; measured: fewer wait for each other in Python, more gain nothing
_WORK_A_SLICE = 2**28  # products of numbers; with less, small models spend their time on calls


@dataclass(frozen=True)
class Predictions:
    """Labels, probabilities and groups of a split, row by row."""

    label: Float32[ndarray, " example"]
    probability: Float64[ndarray, " example"]
    group: Int64[ndarray, " example"] | None

    def metrics(self) -> Metrics:
        """All metrics of these predictions."""
        return evaluate_predictions(self.label, self.probability, self.group)


class Scorer:
    """Click probabilities of batches, the sigmoid in float64 so that close scores stay apart.

    On the CPU a batch passes through the ranker in slices, several at once, each on one core:
    no operation waits for another core. On other devices at most ``batch_size`` examples do so at a time.

    Args:
        ranker: in evaluation mode; its weights may change between calls.
        execution: its precision is used.
        batch_size: the most examples that pass through the ranker at a time.
    """

    def __init__(self, ranker: Ranker, execution: ExecutionSettings, *, batch_size: int) -> None:
        self._ranker = ranker
        self._network = Lowering(ranker.network)
        self._modules = list(ranker.modules())
        self._execution = execution
        self._batch_size = batch_size
        self._device = next(ranker.parameters()).device
        self._num_threads = torch.get_num_threads()
        self._threads: Executor | None = None
        self._slice_examples = max(_LEAST_A_SLICE, _WORK_A_SLICE // max(1, ranker.num_dense_parameters))

    def __call__(self, batch: Batch) -> Float64[ndarray, " batch"]:
        """Probabilities of one batch.

        Raises:
            RunError: the ranker puts out numbers that are not finite.
        """
        return _checked_probabilities(self._logits(batch))

    def close(self) -> None:
        """Let the threads go."""
        if self._threads is not None:
            self._threads.shutdown()

    def _logits(self, batch: Batch) -> Tensor:
        on_cpu = self._device.type == "cpu"
        score = partial(self._score, self._network.current() if on_cpu else self._ranker.network)
        if not on_cpu or has_hooks(*self._modules):
            parts = [score(part) for part in batch.split(self._batch_size)]
        elif batch.num_examples <= _FEW_EXAMPLES:
            with one_core():
                parts = [score(part) for part in batch.split(self._batch_size)]
        else:
            share = -(-batch.num_examples // self._num_threads)
            self._threads = self._threads or compute_threads(self._num_threads)
            slices = batch.split(max(_FEW_EXAMPLES, min(share, self._slice_examples)))
            parts = list(self._threads.map(score, slices))
        return torch.cat(parts) if parts else torch.empty(0)

    def _score(self, network: Callable[[Embedded], Tensor], part: Batch) -> Tensor:
        with torch.inference_mode(), autocast(self._execution, self._device):
            logits = network(self._ranker.embedding(part.to(self._device)))
        return logits[:, 0]


def _checked_probabilities(logits: Tensor) -> Float64[ndarray, " batch"]:
    if not torch.isfinite(logits).all():
        raise RunError(
            "the ranker's logits must be finite, but some are not: training has diverged; "
            "try a smaller training.learning_rate, or training.precision=fp32"
        )
    scores: Float64[ndarray, " batch"] = torch.sigmoid(logits.double()).cpu().numpy()
    return scores


def score_split(
    ranker: Ranker, loader: BatchLoader, execution: ExecutionSettings, *, progress: ProgressListener | None = None
) -> Predictions:
    """Predictions for every row that the loader gives, in evaluation mode; the ranker's mode is put back."""
    progress = progress or SilentProgress()
    was_training = ranker.training
    ranker.eval()
    progress.begin("scoring", total=loader.num_rows, unit="examples")
    label, probability, group = [], [], []
    scorer = Scorer(ranker, execution, batch_size=loader.batch_size)
    try:
        for batch in loader.epoch():
            probability.append(scorer(batch))
            assert batch.labels is not None, "a prepared split has labels"
            label.append(batch.labels[:, 0].numpy())
            if batch.group is not None:
                group.append(batch.group.numpy())
            progress.advance(batch.num_examples)
    finally:
        scorer.close()
        progress.end()
        ranker.train(was_training)
    return Predictions(
        label=np.concatenate(label),
        probability=np.concatenate(probability),
        group=np.concatenate(group) if group else None,
    )
