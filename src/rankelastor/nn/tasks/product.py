"""Probabilities of tasks that follow other tasks, as products: p(click and buy) = p(click) p(buy | click)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from rankelastor.nn.around_network import AroundNetwork
from rankelastor.nn.embedding.embedded import Embedded

_MOST = -1e-7
"""Largest logarithm of a product, so that its logit is finite."""


class TaskProduct(nn.Module):
    """The logit of p_k = sigmoid(z_k) p_(task before k) for each task that follows another; z_k for the others.

    Args:
        before: the index of the task that a task follows, by index.

    Example:
        >>> product = TaskProduct({1: 0})
        >>> torch.sigmoid(product(torch.zeros(1, 2))).tolist()
        [[0.5, 0.25]]

    Source: Ma et al. 2018, Entire Space Multi-Task Model, arXiv 1804.07931, equation 1.
    """

    def __init__(self, before: Mapping[int, int]) -> None:
        super().__init__()
        self.before = dict(before)

    def forward(self, logits: Float[Tensor, "batch task *part"]) -> Float[Tensor, "batch task *part"]:
        """Multiply the probabilities, in logarithms; of a network's parts each by itself."""
        each = logits.float().unbind(1) if logits.dtype == torch.bfloat16 else logits.unbind(1)
        columns = []
        for task, logit in enumerate(each):
            logarithm, at = logsigmoid(logit), task
            while at in self.before:
                at = self.before[at]
                logarithm = logarithm + logsigmoid(each[at])
            follows = task in self.before
            columns.append(_logit_of_logarithm(logarithm) if follows else logit)
        return torch.stack(columns, dim=1)


class WithProducts(AroundNetwork):
    """product(network(fields)): the logits of a network, with products for the tasks that follow others.

    Args:
        network: maps embedded features to (batch, task).
        product: multiplies the probabilities.

    Example:
        >>> class Body(nn.Module):
        ...     def forward(self, embedded):
        ...         return embedded.fields[:, :, 0]
        >>> WithProducts(Body(), TaskProduct({1: 0}))(Embedded(torch.zeros(3, 2, 4))).shape
        torch.Size([3, 2])
    """

    def __init__(self, network: nn.Module, product: TaskProduct) -> None:
        super().__init__(network)
        self.product = product

    @property
    def stages(self) -> Mapping[str, Sequence[nn.Module]]:
        """The stages of the network, then the product."""
        return {**super().stages, "product": [self.product]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task *part"]:
        """Compute the logits of embedded features."""
        logits: Tensor = self.product(self.network(embedded))
        return logits


def _logit_of_logarithm(logarithm: Float[Tensor, " *batch"]) -> Float[Tensor, " *batch"]:
    """Compute log(p / (1 - p)) from log p without losing small p or small 1 - p."""
    bounded = logarithm.clamp_max(_MOST)
    return bounded - torch.log(-torch.expm1(bounded))
