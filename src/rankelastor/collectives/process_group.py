"""Processes joined by a process group of PyTorch: gloo for tensors of the CPU, nccl for those of GPUs."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from rankelastor.collectives.processes import LostProcessError, Traffic
from rankelastor.collectives.world import World

Value = TypeVar("Value")

BUCKET_BYTES = 25 << 20
"""Bytes that are summed at once, as in PyTorch's DistributedDataParallel."""


class GroupProcesses:
    """The processes of one process group.

    Sums go through buckets of ``BUCKET_BYTES``, all of which are under way at once. Each process has the same bits
    afterwards, so that replicas which start alike stay alike. Values travel as JSON, and nothing is pickled.

    Args:
        group: the process group.
    """

    def __init__(self, group: dist.ProcessGroup) -> None:
        self._group = group
        self.world = World(group.size(), group.rank())
        self.traffic = Traffic()

    @property
    def group(self) -> dist.ProcessGroup:
        """The process group, for engines that exchange values themselves."""
        return self._group

    def sum(self, tensors: Sequence[Tensor], *, kind: str) -> None:
        """Replace each tensor by its sum over the processes."""
        with self.exchange(kind, sum(tensor.nbytes for tensor in tensors)):
            buckets = [(bucket, torch.cat([each.flatten() for each in bucket])) for bucket in _buckets(tensors)]
            under_way = [self._group.allreduce([flat]) for _, flat in buckets]
            for (bucket, flat), work in zip(buckets, under_way, strict=True):
                work.wait()
                sums = flat.split([each.numel() for each in bucket])
                for each, values in zip(bucket, sums, strict=True):
                    each.copy_(values.view(each.shape))

    def rows(self, tensor: Tensor, *, kind: str) -> list[Tensor]:
        """List the tensors of all processes by rank; their numbers of rows may differ."""
        with self.exchange(kind, tensor.nbytes):
            counts = [torch.zeros(1, dtype=torch.int64) for _ in range(self.world.size)]
            own = torch.tensor([len(tensor)])
            self._group.allgather([counts], [own]).wait()
            sizes = [int(count) for count in counts]
            padded = tensor.new_zeros(max(sizes), *tensor.shape[1:])
            padded[: len(tensor)] = tensor
            if not padded.numel():
                return [tensor] * self.world.size
            found = [torch.empty_like(padded) for _ in sizes]
            self._group.allgather([found], [padded]).wait()
            return [each[:size] for each, size in zip(found, sizes, strict=True)]

    def from_first(self, make: Callable[[], Value]) -> Value:
        """Return what ``make`` gives in the first process; elsewhere it is not called."""
        text = json.dumps(make()) if self.world.is_first else ""
        value: Value = json.loads(self._texts(text)[0])
        return value

    def of_all(self, value: Value) -> list[Value]:
        """List the values of all processes by rank."""
        return [json.loads(text) for text in self._texts(json.dumps(value))]

    def copy_from_first(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite the tensors with those of the first process."""
        options = dist.BroadcastOptions()
        options.rootRank = 0
        with self.exchange("state", sum(tensor.nbytes for tensor in tensors) if self.world.is_first else 0):
            for tensor in tensors:
                whole = tensor.detach().contiguous()
                if whole.numel():
                    self._group.broadcast([whole], options).wait()
                    tensor.detach().copy_(whole)

    def _texts(self, text: str) -> list[str]:
        own = torch.frombuffer(bytearray(text.encode() or b" "), dtype=torch.uint8)
        return [bytes(each.numpy()).decode() for each in self.rows(own, kind="values")]

    @contextmanager
    def exchange(self, kind: str, num_bytes: int) -> Iterator[None]:
        """Count an exchange of these bytes within the context.

        Raises:
            LostProcessError: within the context there was an error of the network: another process is gone.
        """
        began = time.perf_counter()
        try:
            yield
        except (RuntimeError, ValueError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise LostProcessError(
                f"all {self.world.size} processes of a training must go on until it ends, but one of them ended or can "
                "no longer be reached; its own message says why; train again to go on from the last checkpoint"
            ) from error
        self.traffic.add(kind, num_bytes, time.perf_counter() - began)


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Divide tensors into buckets of one dtype and device each."""
    alike: dict[Any, list[Tensor]] = defaultdict(list)
    for tensor in tensors:
        alike[tensor.dtype, tensor.device].append(tensor)
    for each in alike.values():
        bucket: list[Tensor] = []
        for tensor in each:
            bucket.append(tensor)
            if sum(one.nbytes for one in bucket) >= BUCKET_BYTES:
                yield bucket
                bucket = []
        if bucket:
            yield bucket
