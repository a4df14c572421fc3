"""Binary cross-entropy over examples and tasks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rankelastor.schema import Batch

PartLabels = Literal["whole", "labels"]
"""Where the parts of a network have their labels from: the probabilities of the whole, or the labels."""


def exact(logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Convert logits to float32, but those that have float64.

    Example:
        >>> exact(torch.tensor([0.5], dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return logits if logits.dtype == torch.float64 else logits.float()


class BinaryCrossEntropy:
    """The mean binary cross-entropy in nats, weighted over examples and over tasks.

    With example weights w, task weights a, labels y and logits z:
    sum_t a_t sum_i w_i BCE(z_it, y_it) / (sum_i w_i sum_t a_t),
    where the loss of an example with label 1 counts ``positive_weight`` times.

    A network that has parts which learn by themselves returns logits (batch, task, 1 + part) while training. Each part
    then adds ``part_weight`` times the same loss with its own logits. Its labels are those of the examples, or the
    probabilities of the whole, without a gradient to these, so that the parts agree with the whole.

    A batch may be cut into slices: compute ``total`` of the whole batch once; the losses of the slices then add up to
    the loss of the batch.

    Args:
        task_weights: weight of each task, in the order of the columns of ``Batch.labels``; None weights all equally.
        positive_weight: factor of the loss of examples with label 1; the total of the weights does not count it.
        parts_learn_from: where parts have their labels from, the ``whole`` or the examples' ``labels``.
        part_weight: weight of the loss of each part.

    Raises:
        ValueError: a task weight is negative or not finite, or all are 0.

    Example:
        >>> labels = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
        >>> batch = Batch(
        ...     categorical=torch.ones(2, 1, dtype=torch.int32), numeric=torch.zeros(2, 0), labels=labels, group=None
        ... )
        >>> objective = BinaryCrossEntropy()
        >>> round(float(objective(torch.zeros(2, 2), batch, total=objective.total(batch))), 6)
        0.693147
    """

    can_be_recorded = True

    def __init__(
        self,
        task_weights: Sequence[float] | None = None,
        *,
        positive_weight: float = 1.0,
        parts_learn_from: PartLabels = "whole",
        part_weight: float = 1.0,
    ) -> None:
        assert positive_weight > 0, "settings require a positive weight"
        weights = None if task_weights is None else torch.tensor(task_weights, dtype=torch.float64)
        if weights is not None and not (weights.isfinite().all() and (weights >= 0).all() and weights.any()):
            raise ValueError(f"task weights must be 0 or more and not all 0, but {list(task_weights or ())} were given")
        self._task_weights = None if task_weights is None else tuple(task_weights)
        self._positive_weight = None if positive_weight == 1 else positive_weight
        self._parts_learn_from = parts_learn_from
        self._part_weight = part_weight

    def total(self, batch: Batch) -> Tensor | float:
        """Sum the weights of the examples; without weights each example counts 1.

        The sum is above 0 even if all weights are 0, so that the loss of such a batch is 0.
        """
        if batch.weight is None:
            return float(batch.num_examples)
        return batch.weight.sum().clamp_min(torch.finfo(batch.weight.dtype).tiny)

    def __call__(
        self, logits: Float[Tensor, "batch task *part"], batch: Batch, *, total: Tensor | float
    ) -> Float[Tensor, ""]:
        """Compute the share of these examples in the loss of a batch with this total weight."""
        assert batch.labels is not None, "training needs labels"
        weight = None if batch.weight is None else batch.weight.unsqueeze(1)
        whole, *parts = (logits,) if logits.dim() == batch.labels.dim() else logits.unbind(2)
        assert whole.shape == batch.labels.shape, "a ranker returns one logit per task"
        loss = self._mean(whole, batch.labels, weight, total=total)
        if parts:
            taught = batch.labels if self._parts_learn_from == "labels" else exact(whole.detach()).sigmoid()
            losses = torch.stack([self._mean(part, taught, weight, total=total) for part in parts])
            loss = loss + self._part_weight * losses.sum()
        return loss

    def _mean(
        self,
        logits: Float[Tensor, "batch task"],
        labels: Float[Tensor, "batch task"],
        weight: Float[Tensor, "batch 1"] | None,
        *,
        total: Tensor | float,
    ) -> Float[Tensor, ""]:
        positive = (
            None if self._positive_weight is None else logits.new_full((), self._positive_weight, dtype=torch.float32)
        )
        logits = exact(logits)
        labels = labels.to(logits.dtype)
        losses = partial(binary_cross_entropy_with_logits, logits, labels, weight=weight, pos_weight=positive)
        if self._task_weights is None:
            return losses(reduction="sum") / (total * logits.shape[1])
        each = losses(reduction="none").sum(dim=0)
        by_task = zip(self._task_weights, each.unbind(), strict=True)
        return torch.stack([task_weight * loss for task_weight, loss in by_task]).sum() / (
            total * sum(self._task_weights)
        )
