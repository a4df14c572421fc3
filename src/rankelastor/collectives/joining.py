"""Join the processes that a launcher such as torchrun started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from rankelastor.collectives.process_group import GroupProcesses
from rankelastor.collectives.processes import Processes
from rankelastor.errors import RunError

_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_TO_MEET = timedelta(minutes=30)
"""How long processes wait for one another at the beginning."""
_LONGEST_WAIT = timedelta(days=1)
"""How long one waits for another that is alive, which may prepare data: one that ends is noticed at once."""
_FAILURE = "rankelastor/failure"


@dataclass(frozen=True)
class Joined:
    """The processes that were started together.

    Attributes:
        processes: what they do with one another.
        store: words that all of them can read, also when one has ended.
    """

    processes: Processes
    store: Any

    def tell_failure(self, message: str) -> None:
        """Leave the message of a failure for the first process, which speaks for all."""
        self.store.set(_FAILURE, f"process {self.processes.world.rank} of {self.processes.world.size}: {message}")

    def failure(self) -> str | None:
        """Return the message that another process left; None if none did."""
        return self.store.get(_FAILURE).decode() if self.store.check([_FAILURE]) else None


def are_started_together(environment: Mapping[str, str]) -> bool:
    """Tell whether a launcher started this process as one of several.

    Example:
        >>> are_started_together({})
        False
    """
    return all(name in environment for name in _VARIABLES) and environment["WORLD_SIZE"] != "1"


@contextmanager
def joined(environment: Mapping[str, str]) -> Iterator[Joined]:
    """Join the processes within the context: by gloo, and where there are GPUs by nccl for what lies on them.

    Each process of a machine takes the GPU of its local rank.

    Args:
        environment: variables of the process, of which ``RANK``, ``WORLD_SIZE``, ``MASTER_ADDR``, ``MASTER_PORT``,
            ``LOCAL_RANK`` and ``TORCHELASTIC_RESTART_COUNT`` are read as torchrun sets them.

    Raises:
        RunError: the port is in use, or the processes do not meet.
    """
    has_gpus = torch.cuda.is_available()
    if has_gpus:
        torch.cuda.set_device(int(environment.get("LOCAL_RANK", "0")))
    try:
        shared, rank, size = next(iter(rendezvous("env://", timeout=_TO_MEET)))
        # torchrun keeps its store when it restarts the processes, with the addresses of those that ended
        store = PrefixStore(f"attempt {environment.get('TORCHELASTIC_RESTART_COUNT', '0')}", shared)
        store.set_timeout(_TO_MEET)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if has_gpus else "gloo", store=store, rank=rank, world_size=size, timeout=_LONGEST_WAIT
        )
    except (RuntimeError, ValueError) as error:  # errors of the network are RuntimeErrors of PyTorch
        raise _not_joined(environment, error) from error
    try:
        assert dist.group.WORLD is not None, "the group was made"
        yield Joined(GroupProcesses(dist.group.WORLD), store)
    finally:
        dist.destroy_process_group()


def _not_joined(environment: Mapping[str, str], error: Exception) -> RunError:
    place = f"{environment.get('MASTER_ADDR')}:{environment.get('MASTER_PORT')}"
    if "EADDRINUSE" in str(error) or "in use" in str(error):
        return RunError(
            f"the port at which processes meet must be free, but {place} is in use; try another MASTER_PORT, or "
            "let torchrun find a free one"
        )
    return RunError(
        f"{environment.get('WORLD_SIZE')} processes must meet at {place} within {_TO_MEET.seconds // 60} minutes, but "
        f"process {environment.get('RANK')} did not reach the others: {str(error).splitlines()[0][:200]}; see whether "
        "all of them were started, and reach that address"
    )
