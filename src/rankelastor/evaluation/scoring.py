"""Score the examples of a split with a ranker."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from rankelastor.calibration.calibration import Calibration
from rankelastor.config.execution import ExecutionSettings
from rankelastor.errors import RunError
from rankelastor.execution.cores import TINY_WORK, compute_threads, one_core
from rankelastor.execution.device import autocast
from rankelastor.execution.hooks import must_run_in_order
from rankelastor.execution.lowering import Lowering
from rankelastor.execution.recorded_forward import RecordedForward
from rankelastor.logistic import expit, logit
from rankelastor.metrics.intervals import Interval, intervals_of
from rankelastor.metrics.report import Metrics, evaluate_predictions
from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.objectives.odds import UNCHANGED, Odds
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.schema import Batch
from rankelastor.usable_cores import usable_cores

_FEW_EXAMPLES = 64  # below this, starting a second thread costs more than it saves
_SMALLEST_SLICE = 1024  # measured on large models: smaller slices contend for the GIL, larger ones gain nothing
_WORK_PER_SLICE = 2**28  # multiply-adds; smaller slices of small models spend their time on calls


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Labels and probabilities of a split, one row per example and one column per task.

    ``tasks`` names the columns. ``group`` and ``weight`` are None where the data have none. The probabilities are those
    after the correction by ``odds``, and calibrated if the run is.
    """

    label: Float32[ndarray, "example task"]
    probability: Float64[ndarray, "example task"]
    tasks: tuple[str, ...]
    group: Int64[ndarray, " example"] | None = None
    weight: Float32[ndarray, " example"] | None = None
    odds: Odds = UNCHANGED

    @property
    def metric_weight(self) -> Float[ndarray, " example"] | None:
        """Weight of each example in metrics: negatives of a thinned log stand for those that were left out."""
        if self.odds.negative_weight == 1:
            return self.weight
        each = np.where(self.label[:, 0] > 0, 1.0, self.odds.negative_weight)
        return each if self.weight is None else each * self.weight

    def metrics(self, names: Sequence[str] | None = None) -> Metrics:
        """Compute the metrics with these names; None computes all of ``metrics/table.py``."""
        return evaluate_predictions(
            self.label, self.probability, tasks=self.tasks, group=self.group, weight=self.metric_weight, names=names
        )

    def intervals(self) -> dict[str, dict[str, Interval]]:
        """Compute the intervals of 95 % of each task's metrics: see ``metrics/intervals.py``."""
        weight = self.metric_weight
        columns = zip(self.tasks, self.label.T, self.probability.T, strict=True)
        return {
            task: intervals_of(
                np.ascontiguousarray(label), np.ascontiguousarray(score), weight=weight, group=self.group
            )
            for task, label, score in columns
        }

    @property
    def logits(self) -> Float64[ndarray, "example task"]:
        """Logits of the probabilities, finite."""
        limits = np.finfo(np.float64)
        found: Float64[ndarray, "example task"] = logit(np.clip(self.probability, limits.tiny, 1 - limits.epsneg))
        return found

    def calibrated(self, calibration: Calibration) -> Self:
        """Copy predictions that are not calibrated yet with calibrated ones."""
        if not calibration.changes_logits:
            return self
        return replace(self, probability=expit(calibration(self.logits)))

    def with_probability(self, probability: Float64[ndarray, "example task"]) -> Self:
        """Copy the predictions with other probabilities for the same examples."""
        return replace(self, probability=probability)

    def uncorrected(self) -> Self:
        """Copy predictions that are not calibrated with those before the correction by ``odds``."""
        return replace(self, probability=expit(self.logits - self.odds.logit_shift))

    def corrected(self, odds: Odds) -> Self:
        """Copy predictions that are not corrected yet with those corrected by ``odds``."""
        return replace(self, probability=expit(self.logits + odds.logit_shift), odds=odds)

    def where(self, chosen: Bool[ndarray, " example"]) -> Self:
        """Select the predictions for the chosen examples."""
        return replace(
            self,
            label=self.label[chosen],
            probability=self.probability[chosen],
            group=None if self.group is None else self.group[chosen],
            weight=None if self.weight is None else self.weight[chosen],
        )


class Examples(Protocol):
    """The examples to score, batch by batch, such as a ``BatchLoader``."""

    @property
    def num_rows(self) -> int:
        """Number of examples."""
        ...

    @property
    def batch_size(self) -> int:
        """Largest number of examples in a batch."""
        ...

    def epoch(self) -> Iterator[Batch]:
        """Iterate over all examples once, in order."""
        ...


class Scorer:
    """Compute the probabilities of batches, with the sigmoid in float64 so that close scores stay distinct.

    A batch is cut into parts of at most ``batch_size`` examples; on the CPU into slices that are scored in parallel,
    each on one core, so that no operation waits for another core.

    Args:
        ranker: the model, in evaluation mode; its weights may change between calls.
        execution: settings, of which the precision is used.
        batch_size: largest number of examples to score at a time.
        logit_shift: what is added to each logit, see ``Odds``.
        is_fixed: whether weights and layers stay as they are for as long as this scores, as in a service. Few examples
            are then scored by a recording of their operations, with the same result and without the time of the layers'
            Python.
    """

    def __init__(
        self,
        ranker: Ranker,
        execution: ExecutionSettings,
        *,
        batch_size: int,
        logit_shift: float = 0.0,
        is_fixed: bool = False,
    ) -> None:
        self._ranker = ranker
        self._logit_shift = logit_shift
        self._network = Lowering(ranker.network)
        self._modules = list(ranker.modules())
        self._execution = execution
        self._batch_size = batch_size
        self._device = next(ranker.parameters()).device
        self._num_threads = torch.get_num_threads()
        self._threads: Executor | None = None
        self._slice_examples = max(_SMALLEST_SLICE, _WORK_PER_SLICE // max(1, ranker.num_dense_parameters))
        can_record = is_fixed and self._device.type == "cpu" and ranker.embedding.elsewhere is None
        self._recorded = RecordedForward(self._score_tensors, ranker) if can_record else None
        may_help = can_record and min(self._num_threads, usable_cores().number) > 1
        self._fewest_for_helper = -(-TINY_WORK // max(1, ranker.num_dense_parameters)) if may_help else math.inf

    def __call__(self, batch: Batch) -> Float64[ndarray, "batch task"]:
        """Compute the probabilities of one batch; a batch without examples gives shape (0, 0).

        Raises:
            RunError: the ranker's logits are not all finite.
        """
        return expit(self.logits(batch) + self._logit_shift)

    def logits(self, batch: Batch) -> Float64[ndarray, "batch task"]:
        """Compute the logits of one batch without the shift.

        Raises:
            RunError: they are not all finite.
        """
        logits: Float64[ndarray, "batch task"] = self._logits(batch).double().cpu().numpy()
        _check_finite(logits)
        return logits

    def close(self) -> None:
        """Stop the threads."""
        if self._threads is not None:
            self._threads.shutdown()

    def _logits(self, batch: Batch) -> Tensor:
        on_cpu = self._device.type == "cpu"
        is_here = self._ranker.embedding.elsewhere is None
        if on_cpu and is_here and 0 < batch.num_examples <= min(_FEW_EXAMPLES, self._batch_size):
            with one_core(with_helper=batch.num_examples >= self._fewest_for_helper):
                score_few = self._recorded or self._score_tensors
                return score_few(batch.categorical, batch.numeric, batch.sequence)
        score = partial(self._score, self._network.current() if on_cpu else self._ranker.network)
        if not on_cpu or must_run_in_order(*self._modules):
            parts = [score(*part) for part in self._parts(batch, self._batch_size)]
        else:
            share = -(-batch.num_examples // self._num_threads)
            self._threads = self._threads or compute_threads(self._num_threads)
            size = min(self._batch_size, max(_FEW_EXAMPLES, min(share, self._slice_examples)))
            parts = list(self._threads.map(score, *zip(*self._parts(batch, size), strict=True)))
        return torch.cat(parts) if parts else torch.empty(0, 0)

    def _parts(self, batch: Batch, size: int) -> list[tuple[Batch, Tensor | None]]:
        """Cut a batch. Rows that lie elsewhere are looked up for all of it, also for none, as other processes do."""
        embedding = self._ranker.embedding
        if embedding.elsewhere is None:
            return [(part, None) for part in batch.split(size)]
        found = embedding.look_up(embedding.rows_of(batch))
        return list(zip(batch.split(size), found.split(size), strict=False))

    def _score_tensors(self, categorical: Tensor, numeric: Tensor, sequence: Tensor | None) -> Tensor:
        part = Batch(categorical=categorical, numeric=numeric, labels=None, group=None, sequence=sequence)
        return self._score(self._network.current(), part, None)

    def _score(self, network: Callable[[Embedded], Tensor], part: Batch, found: Tensor | None) -> Tensor:
        with torch.inference_mode(), autocast(self._execution, self._device):
            part = part.to(self._device)
            embedding = self._ranker.embedding
            return network(embedding(part) if found is None else embedding.assemble(found, part))


def _check_finite(logits: Float64[ndarray, "batch task"]) -> None:
    with np.errstate(invalid="ignore"):
        is_finite = np.isfinite(logits.sum())  # finite values of float32 have a finite sum in float64
    if not is_finite:
        raise RunError(
            "the ranker's logits must be finite, but some are not: training has diverged, or a number of a row is too "
            "large; try a smaller training.learning_rate, or training.precision=fp32"
        )


def score_split(
    ranker: Ranker,
    examples: Examples,
    execution: ExecutionSettings,
    *,
    tasks: Sequence[str],
    odds: Odds | None = None,
    progress: ProgressListener | None = None,
) -> Predictions:
    """Score all examples in evaluation mode, then restore the ranker's mode.

    Args:
        ranker: the model, on any device.
        examples: batches with labels.
        execution: settings, of which the precision is used.
        tasks: names of the label columns.
        odds: how training changed the odds of the label; probabilities are corrected for it. None: not at all.
        progress: receives the number of examples scored.

    Raises:
        RunError: the ranker's logits are not all finite.
    """
    progress = progress or SilentProgress()
    was_training = ranker.training
    ranker.eval()
    progress.begin("scoring", total=examples.num_rows, unit="examples")
    odds = odds or UNCHANGED
    scorer = Scorer(ranker, execution, batch_size=examples.batch_size, logit_shift=odds.logit_shift)
    columns = Columns()
    try:
        for batch in examples.epoch():
            columns.add(batch, scorer(batch))
            progress.advance(batch.num_examples)
    finally:
        scorer.close()
        progress.end()
        ranker.train(was_training)
    return columns.join(tasks, odds)


def restored_predictions(
    examples: Examples, probability: Float64[ndarray, "example task"], *, tasks: Sequence[str], odds: Odds
) -> Predictions:
    """Put stored probabilities, which were corrected by ``odds``, beside the labels of the same examples."""
    columns, start = Columns(), 0
    for batch in examples.epoch():
        columns.add(batch, probability[start : start + batch.num_examples])
        start += batch.num_examples
    return columns.join(tasks, odds)


class Columns:
    """Predictions collected batch by batch."""

    def __init__(self) -> None:
        self._probability: list[Float64[ndarray, "batch task"]] = []
        self._label: list[Float32[ndarray, "batch task"]] = []
        self._group: list[Int64[ndarray, " batch"]] = []
        self._weight: list[Float32[ndarray, " batch"]] = []

    def add(self, batch: Batch, probability: Float64[ndarray, "batch task"]) -> None:
        """Add a batch with its labels."""
        assert batch.labels is not None, "a prepared split has labels"
        self._probability.append(probability)
        self._label.append(batch.labels.numpy())
        if batch.group is not None:
            self._group.append(batch.group.numpy())
        if batch.weight is not None:
            self._weight.append(batch.weight.numpy())

    def join(self, tasks: Sequence[str], odds: Odds) -> Predictions:
        """Join what was added."""
        return Predictions(
            label=np.concatenate(self._label),
            probability=np.concatenate(self._probability),
            tasks=tuple(tasks),
            group=np.concatenate(self._group) if self._group else None,
            weight=np.concatenate(self._weight) if self._weight else None,
            odds=odds,
        )
