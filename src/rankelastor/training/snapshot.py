"""The state of a training at one moment between two steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Snapshot:
    """The state after ``step`` steps; if it was copied, later steps do not change it.

    Attributes:
        step: number of steps that are done.
        is_evaluated: whether they end an epoch that has been evaluated.
        values: values for JSON.
        tensors: contiguous tensors on the CPU.
    """

    step: int
    is_evaluated: bool
    values: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @classmethod
    def of(
        cls,
        step: int,
        values: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        *,
        is_evaluated: bool = False,
        copied: bool = True,
    ) -> Self:
        """Take tensors from any device; those of the CPU are copied unless they are written before the next step.

        Example:
            >>> weight = torch.tensor([1.0])
            >>> snapshot = Snapshot.of(3, {}, {"weight": weight})
            >>> _ = weight.add_(1)
            >>> snapshot.tensors["weight"]
            tensor([1.])
        """
        return cls(step, is_evaluated, values, {name: _take(tensor, copied=copied) for name, tensor in tensors.items()})


def _take(tensor: Tensor, *, copied: bool) -> Tensor:
    detached = tensor.detach()
    if copied and detached.device.type == "cpu":
        return detached.clone(memory_format=torch.contiguous_format)
    return detached.contiguous().cpu()
