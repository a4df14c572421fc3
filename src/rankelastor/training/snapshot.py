"""The state of a training at one moment between two steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Snapshot:
    """A copy of the state after ``step`` steps, which later steps do not change.

    Attributes:
        step: number of steps that are done.
        is_evaluated: whether they end an epoch that has been evaluated.
        values: values for JSON.
        tensors: contiguous tensors on the CPU, of which no two share memory.
    """

    step: int
    is_evaluated: bool
    values: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @classmethod
    def copy(
        cls, step: int, values: Mapping[str, Any], tensors: Mapping[str, Tensor], *, is_evaluated: bool = False
    ) -> Self:
        """Copy tensors from any device.

        Example:
            >>> weight = torch.tensor([1.0])
            >>> snapshot = Snapshot.copy(3, {}, {"weight": weight})
            >>> _ = weight.add_(1)
            >>> snapshot.tensors["weight"]
            tensor([1.])
        """
        return cls(step, is_evaluated, values, {name: _copy(tensor) for name, tensor in tensors.items()})


def _copy(tensor: Tensor) -> Tensor:
    detached = tensor.detach()
    if detached.device.type == "cpu":
        return detached.clone(memory_format=torch.contiguous_format)
    return detached.contiguous().cpu()
