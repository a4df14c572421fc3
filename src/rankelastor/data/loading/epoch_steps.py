"""Divide an epoch into steps, and each step among processes."""

from __future__ import annotations

from dataclasses import dataclass

from rankelastor.errors import DataError


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


@dataclass(frozen=True)
class EpochSteps:
    """The positions of an epoch, divided into steps of ``world.size * batch_size`` positions.

    All processes have the same number of steps, and none is empty; together they visit each position exactly once. A
    step has the positions that one process with a batch of ``world.size * batch_size`` would take, so the number of
    processes does not change the data of a step. The last step divides the remainder as evenly as possible; if there
    are fewer remaining rows than processes, they join the step before, whose batches at some ranks gain one row.

    Example:
        >>> ranks = [EpochSteps(11, batch_size=2, world=World(2, rank)) for rank in range(2)]
        >>> [[steps.bounds(index) for index in range(len(steps))] for steps in ranks]
        [[(0, 2), (4, 6), (8, 9)], [(2, 4), (6, 8), (9, 11)]]
    """

    num_rows: int
    batch_size: int
    world: World

    def __post_init__(self) -> None:
        """Raise if there are fewer rows than processes."""
        if self.world.size > max(1, self.num_rows):
            raise DataError(
                f"each of {self.world.size} processes must get a row, but there are {self.num_rows} rows; "
                "try fewer processes"
            )

    @property
    def _step_rows(self) -> int:
        return self.world.size * self.batch_size

    def __len__(self) -> int:
        full, left = divmod(self.num_rows, self._step_rows)
        return full + (left >= self.world.size)

    def bounds(self, step: int) -> tuple[int, int]:
        """Return where the batch of this process in a step starts and stops."""
        start = step * self._step_rows
        count = self.num_rows - start if step == len(self) - 1 else self._step_rows
        rank, size = self.world.rank, self.world.size
        return start + count * rank // size, start + count * (rank + 1) // size
