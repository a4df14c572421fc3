"""Losses of a ranking within groups: over pairs, or over the list of a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import softplus

from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy, exact
from rankelastor.schema import Batch

RankingLoss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""Computes the loss from logits, labels, weights and groups, each (batch,)."""


def pairwise_loss(
    logits: Float[Tensor, " batch"],
    labels: Float[Tensor, " batch"],
    weight: Float[Tensor, " batch"],
    group: Int64[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Compute the mean of ln(1 + exp(z_j - z_i)) over the pairs of a positive i and a negative j of one group.

    A pair counts by the product of the weights of its rows; without pairs the loss is 0.

    Example:
        >>> logits, labels = torch.tensor([1.0, 0.0, 5.0]), torch.tensor([1.0, 0.0, 0.0])
        >>> loss = pairwise_loss(logits, labels, torch.ones(3), torch.tensor([7, 7, 8]))
        >>> round(loss.item(), 6)  # ln(1 + exp(-1)): the third row has another group
        0.313262

    Source: Burges et al. 2005, Learning to Rank using Gradient Descent (RankNet).
    """
    positive, negative = torch.nonzero(labels > 0).flatten(), torch.nonzero(labels <= 0).flatten()
    first, second = torch.nonzero(group[positive, None] == group[negative], as_tuple=True)
    better, worse = positive[first], negative[second]
    mass = weight[better] * weight[worse]
    losses = mass * softplus(logits[worse] - logits[better])
    return losses.sum() / mass.sum().clamp_min(torch.finfo(mass.dtype).tiny)


def listwise_loss(
    logits: Float[Tensor, " batch"],
    labels: Float[Tensor, " batch"],
    weight: Float[Tensor, " batch"],
    group: Int64[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Compute the mean over groups of -ln(exp(z_i) / sum_j w_j exp(z_j)), averaged over the positives i of the group.

    Groups without both labels say nothing and are left out; without any other group the loss is 0. A row counts as
    often as its weight says.

    Example:
        >>> logits, labels = torch.tensor([1.0, 0.0, 5.0]), torch.tensor([1.0, 0.0, 0.0])
        >>> loss = listwise_loss(logits, labels, torch.ones(3), torch.tensor([7, 7, 8]))
        >>> round(loss.item(), 6)  # ln(1 + exp(-1))
        0.313262

    Source: Cao et al. 2007, Learning to Rank: From Pairwise Approach to Listwise Approach (ListNet, top one).
    """
    keys, place = group.unique(return_inverse=True)
    positive = weight * (labels > 0)
    zeros = logits.new_zeros(len(keys))
    num_positive = zeros.index_add(0, place, positive)
    both = (num_positive > 0) & (zeros.index_add(0, place, weight - positive) > 0)
    most = torch.full_like(zeros, -torch.inf).scatter_reduce(0, place, logits.detach(), "amax")
    total = zeros.index_add(0, place, weight * (logits - most[place]).exp())
    each = most[place] + total[place].clamp_min(torch.finfo(total.dtype).tiny).log() - logits
    by_group = zeros.index_add(0, place, positive * each) / num_positive.clamp_min(torch.finfo(zeros.dtype).tiny)
    return torch.where(both, by_group, 0.0).sum() / both.sum().clamp_min(1)


class WithinGroups:
    """A ranking loss within the groups of a batch, plus a factor times the binary cross-entropy.

    The ranking loss is averaged over tasks by their weights. It couples the examples of a batch, which is therefore
    computed as a whole.

    Args:
        ranking: the loss of one task.
        cross_entropy: the binary cross-entropy, which also gives the total weight of a batch.
        factor: factor of the cross-entropy; with 0 the ranking alone is learned.
        task_weights: weight of each task; None weights all equally.

    Example:
        >>> ids, labels = torch.ones(2, 1, dtype=torch.int32), torch.tensor([[1.0], [0.0]])
        >>> batch = Batch(categorical=ids, numeric=torch.zeros(2, 0), labels=labels, group=torch.tensor([3, 3]))
        >>> objective = WithinGroups(pairwise_loss, BinaryCrossEntropy(), factor=0.0)
        >>> round(float(objective(torch.zeros(2, 1), batch, total=objective.total(batch))), 6)  # ln 2
        0.693147
    """

    couples_examples = True

    def __init__(
        self,
        ranking: RankingLoss,
        cross_entropy: BinaryCrossEntropy,
        *,
        factor: float,
        task_weights: Sequence[float] | None = None,
    ) -> None:
        self._ranking = ranking
        self._cross_entropy = cross_entropy
        self._factor = factor
        self._task_weights = task_weights

    def total(self, batch: Batch) -> Tensor | float:
        """Sum the weights of the examples."""
        return self._cross_entropy.total(batch)

    def __call__(
        self, logits: Float[Tensor, "batch task *part"], batch: Batch, *, total: Tensor | float
    ) -> Float[Tensor, ""]:
        """Compute the loss of a whole batch; parts of a network take part in the cross-entropy alone."""
        assert batch.labels is not None, "training needs labels"
        assert batch.group is not None, "recipes with an objective within groups have a group"
        whole = exact(logits if logits.dim() == batch.labels.dim() else logits[:, :, 0])
        weight = torch.ones_like(whole[:, 0]) if batch.weight is None else batch.weight
        losses = [
            self._ranking(task, labels, weight, batch.group)
            for task, labels in zip(whole.unbind(1), batch.labels.unbind(1), strict=True)
        ]
        weights = self._task_weights or [1.0] * len(losses)
        ranking = torch.stack([share * loss for share, loss in zip(weights, losses, strict=True)]).sum() / sum(weights)
        if not self._factor:
            return ranking
        return ranking + self._factor * self._cross_entropy(logits, batch, total=total)
