"""Divide an epoch into steps, and each step among processes."""

from __future__ import annotations

from dataclasses import dataclass

from rankelastor.collectives.world import World
from rankelastor.errors import DataError


@dataclass(frozen=True)
class EpochSteps:
    """The positions of an epoch, divided into steps of ``batch_size`` positions of all processes together.

    All processes have the same steps, whose data do not depend on the number of processes, and together they visit each
    position exactly once. Shares of a step differ by one position at most. The last step divides the remainder; if
    that has fewer positions than there are processes, some have none of them.

    Example:
        >>> ranks = [EpochSteps(11, batch_size=4, world=World(2, rank)) for rank in range(2)]
        >>> [[steps.bounds(index) for index in range(len(steps))] for steps in ranks]
        [[(0, 2), (4, 6), (8, 9)], [(2, 4), (6, 8), (9, 11)]]
    """

    num_rows: int
    batch_size: int
    world: World

    def __post_init__(self) -> None:
        """Raise if there are fewer rows than processes, in all or in a batch."""
        if self.world.size > min(max(1, self.num_rows), self.batch_size):
            raise DataError(
                f"each of {self.world.size} processes must get a row, but there are {self.num_rows} rows, and "
                f"{self.batch_size} in a batch; try fewer processes"
            )

    def __len__(self) -> int:
        full, left = divmod(self.num_rows, self.batch_size)
        return full + (left > 0)

    def bounds(self, step: int) -> tuple[int, int]:
        """Return where the batch of this process in a step starts and stops."""
        start, stop = self.whole(step)
        first, last = self.world.share(stop - start)
        return start + first, start + last

    def whole(self, step: int) -> tuple[int, int]:
        """Return where a step of all processes starts and stops."""
        start = step * self.batch_size
        return start, min(start + self.batch_size, self.num_rows)
