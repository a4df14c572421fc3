"""How many members are trained at a time, and by how many threads each."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from rankelastor.execution.free_memory import free_memory


@dataclass(frozen=True)
class Sharing:
    """How members share the machine: ``num_processes`` at a time, each with ``num_threads``; None leaves PyTorch's."""

    num_processes: int
    num_threads: int | None


def share_machine(
    num_members: int,
    *,
    device: torch.device,
    num_threads: int | None,
    bytes_of_each: int,
    num_processes: int | None = None,
) -> Sharing:
    """Choose how many members are trained at a time.

    A small network keeps one core busy and no more, so that members side by side, a core each, take the time of one.
    On CUDA they are trained one after the other, and so they are where memory has room for one alone.

    Args:
        num_members: members to train.
        device: device of the training.
        num_threads: ``training.threads``: the cores of all members together; None takes those that PyTorch uses.
        bytes_of_each: forecast of the memory of one training.
        num_processes: how many the user asks for; None chooses.

    Example:
        >>> share_machine(3, device=torch.device("cpu"), num_threads=2, bytes_of_each=1000)
        Sharing(num_processes=2, num_threads=1)
        >>> share_machine(3, device=torch.device("cuda"), num_threads=8, bytes_of_each=1000)
        Sharing(num_processes=1, num_threads=8)
    """
    cores = num_threads or torch.get_num_threads()
    if num_processes is None:
        num_processes = 1 if device.type == "cuda" else min(cores, _num_in_memory(device, bytes_of_each))
    num_processes = max(1, min(num_processes, num_members))
    if num_processes == 1:
        return Sharing(1, num_threads)
    return Sharing(num_processes, max(1, cores // num_processes))


def _num_in_memory(device: torch.device, bytes_of_each: int) -> int:
    free = free_memory(device)
    return 1 << 30 if free is None else max(1, free.num_bytes // max(1, bytes_of_each))
