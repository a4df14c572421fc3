"""Hand the state of the first process to the others: the checkpoint that a run goes on from, and the best weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rankelastor.collectives.processes import Processes
from rankelastor.runs.checkpoints import Checkpoint

_GLOBAL_RANDOM = ("random.cpu", "random.cuda")
"""States of PyTorch's own generators, from which each process draws other numbers."""


def share_checkpoint(checkpoint: Checkpoint | None, processes: Processes) -> Checkpoint | None:
    """Give all processes the checkpoint of the first.

    It holds all that a training by any number of processes goes on from, since the processes have the same weights
    and moments, and masks of dropout on the CPU follow from the state of one generator and the rank.

    Args:
        checkpoint: that of the first process; of no meaning in others.
        processes: the processes.
    """
    if processes.world.size == 1:
        return checkpoint
    told: dict[str, Any] | None = processes.from_first(lambda: None if checkpoint is None else _described(checkpoint))
    if told is None:
        return None
    own = {} if checkpoint is None else checkpoint.tensors
    tensors = {
        name: own[name].contiguous() if processes.world.is_first else torch.empty(shape, dtype=getattr(torch, dtype))
        for name, dtype, shape in told["tensors"]
    }
    processes.copy_from_first(list(tensors.values()))
    if processes.world.is_first:
        return checkpoint
    kept: Mapping[str, Tensor] = {name: each for name, each in tensors.items() if name not in _GLOBAL_RANDOM}
    return Checkpoint(Path(told["path"]), told["step"], told["values"], kept)


def share_weights(module: nn.Module, processes: Processes) -> None:
    """Give all processes the parameters and buffers of the first."""
    processes.copy_from_first(list(module.state_dict().values()))


def _described(checkpoint: Checkpoint) -> dict[str, Any]:
    tensors = [
        [name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)]
        for name, tensor in checkpoint.tensors.items()
    ]
    return {
        "path": str(checkpoint.path.resolve()),
        "step": checkpoint.step,
        "values": checkpoint.values,
        "tensors": tensors,
    }
