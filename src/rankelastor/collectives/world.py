"""How many processes train together, and which one this is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """The number of processes that train together, and the rank of this one.

    Example:
        >>> World(size=4, rank=3).rank
        3
    """

    size: int = 1
    rank: int = 0

    def __post_init__(self) -> None:
        """Raise if the rank is out of range."""
        if not 0 <= self.rank < self.size:
            raise ValueError(f"rank must lie in 0 to {self.size - 1}, but {self.rank} was given")

    @property
    def is_first(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    def share(self, count: int) -> tuple[int, int]:
        """Return where this rank's share of ``count`` places starts and stops; shares differ by one place at most.

        Example:
            >>> [World(3, rank).share(10) for rank in range(3)]
            [(0, 3), (3, 6), (6, 10)]
        """
        return count * self.rank // self.size, count * (self.rank + 1) // self.size
