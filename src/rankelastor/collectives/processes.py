"""What processes that train together do with one another, and one process alone, which does nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from torch import Tensor

from rankelastor.collectives.world import World
from rankelastor.errors import RunError

Value = TypeVar("Value")


class LostProcessError(RunError):
    """Another process of the training ended, or can no longer be reached."""


@dataclass
class Traffic:
    """What this process sent so far, by kind: bytes of its own values, and seconds in which it waited for others."""

    num_bytes: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, kind: str, num_bytes: int, seconds: float) -> None:
        """Count one exchange.

        Example:
            >>> traffic = Traffic()
            >>> traffic.add("dense", 8, 0.5)
            >>> traffic.add("dense", 8, 0.25)
            >>> traffic.num_bytes, traffic.seconds
            ({'dense': 16}, {'dense': 0.75})
        """
        self.num_bytes[kind] = self.num_bytes.get(kind, 0) + num_bytes
        self.seconds[kind] = self.seconds.get(kind, 0.0) + seconds


class Processes(Protocol):
    """The processes of a training, seen from one of them. All must call the same methods in the same order.

    Every method but those of ``World`` raises ``LostProcessError`` if another process is gone.
    """

    @property
    def world(self) -> World:
        """Their number, and the rank of this one."""

    @property
    def traffic(self) -> Traffic:
        """What was exchanged so far."""

    def sum(self, tensors: Sequence[Tensor], *, kind: str) -> None:
        """Replace each tensor by its sum over the processes, which all of them have bit for bit.

        Args:
            tensors: of the same shapes in all processes, changed in place.
            kind: what they are, for ``traffic``.
        """

    def rows(self, tensor: Tensor, *, kind: str) -> list[Tensor]:
        """List the tensors of all processes by rank; their numbers of rows may differ."""

    def from_first(self, make: Callable[[], Value]) -> Value:
        """Return what ``make`` gives in the first process, a value for JSON; elsewhere it is not called."""

    def of_all(self, value: Value) -> list[Value]:
        """List the values of all processes by rank, each a value for JSON."""

    def copy_from_first(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite the tensors with those of the first process."""


class OneProcess:
    """A process that trains alone.

    Example:
        >>> OneProcess().from_first(lambda: 3), OneProcess().of_all("a")
        (3, ['a'])
    """

    def __init__(self) -> None:
        self.world = World()
        self.traffic = Traffic()

    def sum(self, tensors: Sequence[Tensor], *, kind: str) -> None:
        """Leave the tensors as they are."""

    def rows(self, tensor: Tensor, *, kind: str) -> list[Tensor]:  # noqa: ARG002 - of one process
        """Return the tensor alone."""
        return [tensor]

    def from_first(self, make: Callable[[], Value]) -> Value:
        """Return what ``make`` gives."""
        return make()

    def of_all(self, value: Value) -> list[Value]:
        """Return the value alone."""
        return [value]

    def copy_from_first(self, tensors: Sequence[Tensor]) -> None:
        """Leave the tensors as they are."""


ALONE: Processes = OneProcess()
"""One process for itself."""
