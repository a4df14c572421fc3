"""How an epoch is cut into steps, and a step among processes."""

from __future__ import annotations

from dataclasses import dataclass

from rankelastor.errors import DataError


@dataclass(frozen=True)
class World:
    """How many processes train together, and which of them this one is.

    Example:
        >>> World(size=4, rank=3).rank
        3
    """

    size: int = 1
    rank: int = 0

    def __post_init__(self) -> None:
        """Refuse a rank that is none."""
        if not 0 <= self.rank < self.size:
            raise ValueError(f"rank must lie in 0 to {self.size - 1}, but {self.rank} was given")


@dataclass(frozen=True)
class EpochSteps:
    """The places of an epoch, cut into steps of ``world.size * batch_size``.

    All processes have the same number of steps, and none is empty; together they see each place exactly once. A
    step's places are those that one process with a batch of ``world.size * batch_size`` would take, so that the
    number of processes does not change what a step learns from. The last step shares out what is left as evenly as
    possible; fewer rows than processes join the step before, whose batches then hold one row more at some ranks.

    Example:
        >>> ranks = [EpochSteps(11, batch_size=2, world=World(2, rank)) for rank in range(2)]
        >>> [[steps.bounds(index) for index in range(len(steps))] for steps in ranks]
        [[(0, 2), (4, 6), (8, 9)], [(2, 4), (6, 8), (9, 11)]]
    """

    num_rows: int
    batch_size: int
    world: World

    def __post_init__(self) -> None:
        """Refuse fewer rows than processes."""
        if self.world.size > max(1, self.num_rows):
            raise DataError(
                f"each of {self.world.size} processes must get a row, but there are {self.num_rows}; "
                "try fewer processes"
            )

    @property
    def _step_rows(self) -> int:
        return self.world.size * self.batch_size

    def __len__(self) -> int:
        full, left = divmod(self.num_rows, self._step_rows)
        return full + (left >= self.world.size)

    def bounds(self, step: int) -> tuple[int, int]:
        """Where this process's batch of a step starts and stops."""
        start = step * self._step_rows
        count = self.num_rows - start if step == len(self) - 1 else self._step_rows
        rank, size = self.world.rank, self.world.size
        return start + count * rank // size, start + count * (rank + 1) // size
