"""Exponential moving averages of weights, of embedding rows at the cost of the batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from rankelastor.optimisers.copying import copy_exactly

_CHUNK_ROWS = 8_192
_FIRST_STEPS = 1024


def decay_of(step: int, decay: float) -> float:
    """Compute the share of the average that a step keeps, counted from 1: small at first, then ``decay``.

    Example:
        >>> [round(decay_of(step, 0.9), 3) for step in (1, 10, 1000)]
        [0.182, 0.55, 0.9]

    Source: ``num_updates`` of TensorFlow's ExponentialMovingAverage.
    """
    return min(decay, (1 + step) / (10 + step))


class AveragedWeights:
    """a <- d a + (1 - d) w after each step, for each weight w and its average a, with d of ``decay_of``.

    Averages start at the initial weights. A table whose rows are updated when a batch looks them up is averaged at the
    same moments: over k steps that a row misses, its average follows the closed form a <- w + (d_1 ... d_k) (a - w).
    Row-wise Adagrad leaves such rows as they are, so that this is the average over the whole table after each step.
    Lazily updated Adam makes up for the steps that a row missed when it is next read, and moves it mostly in the first
    of them; here w is the weight at the end of the gap. tests/optimisers/test_averaged_weights.py compares both with
    averages over whole tables.

    Args:
        weights: the parameters, without a table that is averaged by row.
        table: (row, dim), a table that is averaged by row; None if there is none.
        decay: share of the average that a late step keeps.

    Example:
        >>> weight = nn.Parameter(torch.tensor([1.0]))
        >>> average = AveragedWeights([weight], decay=0.999)
        >>> with torch.no_grad():
        ...     _ = weight.fill_(12.0)
        >>> average.step()
        >>> with average.in_place():
        ...     print(round(weight.item(), 6))  # 2 / 11 of 1, the rest of 12
        10.0
        >>> weight.item()
        12.0

    Source: Polyak and Juditsky 1992; the exponential form as in TensorFlow and timm.
    """

    def __init__(self, weights: Sequence[nn.Parameter], table: nn.Parameter | None = None, *, decay: float) -> None:
        self._weights = list(weights)
        self._table = table
        self._decay = decay
        self._averages = [weight.detach().clone() for weight in self._weights]
        self._rows = None if table is None else table.detach().clone()
        self._done = torch.zeros(0 if table is None else len(table), dtype=torch.int32)
        self._num_steps = 0
        self._log_kept = torch.zeros(1, dtype=torch.float64)  # sums of the logarithms of d, from step 0 on

    @torch.no_grad()
    def step(self, rows: Int64[Tensor, " row"] | None = None) -> None:
        """Average the weights after a step that changed these rows of the table, each named once."""
        self._num_steps += 1
        self._make_room()
        kept = decay_of(self._num_steps, self._decay)
        if self._averages:
            weights: list[Tensor] = [weight.detach() for weight in self._weights]
            torch._foreach_lerp_(self._averages, weights, 1 - kept)
        if rows is not None:
            self.catch_up(rows)

    @torch.no_grad()
    def catch_up(self, rows: Int64[Tensor, " row"]) -> None:
        """Average the steps that these rows missed; required when they were read, before they change."""
        if self._rows is None or self._table is None:
            return
        missed = self._log_kept[self._num_steps] - self._log_kept[self._done[rows].long()]
        kept = missed.exp().to(self._rows.dtype).unsqueeze(1)
        self._rows[rows] = torch.lerp(self._table.detach()[rows], self._rows[rows], kept)
        self._done[rows] = self._num_steps

    def complete(self, run_all: Callable[..., Iterable[None]] = map) -> None:
        """Average the steps that any row missed; required before ``in_place``.

        ``run_all`` maps a function over chunks of rows, possibly in threads.
        """
        behind = (self._done < self._num_steps).nonzero().flatten()
        for _ in run_all(self.catch_up, behind.split(_CHUNK_ROWS) if len(behind) else ()):
            pass

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the parameters have their averages as values within the context."""
        pairs = self._pairs()
        values = [weight.data for weight, _ in pairs]
        try:
            for weight, average in pairs:
                weight.data = average
            yield
        finally:  # also if Ctrl-C comes between two assignments
            for (weight, _), value in zip(pairs, values, strict=True):
                weight.data = value

    def state(self) -> dict[str, Tensor]:
        """Collect averages and the steps up to which they are made, as they stand; not copied."""
        found = {str(index): average for index, average in enumerate(self._averages)}
        if self._rows is not None:
            found |= {"rows": self._rows, "done": self._done}
        return found | {"steps": torch.tensor(self._num_steps)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what ``state`` gave for weights of the same shapes.

        Raises:
            ValueError: it belongs to other weights.
        """
        for name, own in self.state().items():
            if name == "steps":
                steps = own.clone()
                copy_exactly(steps, state.get(name), name="steps of the average")
                self._num_steps = int(steps)
            else:
                copy_exactly(own, state.get(name), name=f"averages {name}")
        self._make_room()

    def take_over(self, averages: Mapping[str, Tensor], names: Mapping[nn.Parameter, str], *, num_steps: int) -> None:
        """Go on from the averages of a former training; without any, from the weights as they are now.

        Raises:
            ValueError: they belong to other weights.
        """
        for weight, own in self._pairs():
            with torch.no_grad():
                copy_exactly(own, averages.get(names[weight], weight.detach()), name=f"averages of {names[weight]}")
        self._num_steps = num_steps if averages else 0
        self._done.fill_(self._num_steps)
        self._make_room()

    def _pairs(self) -> list[tuple[nn.Parameter, Tensor]]:
        by_row = [] if self._table is None or self._rows is None else [(self._table, self._rows)]
        return [*zip(self._weights, self._averages, strict=True), *by_row]

    def _make_room(self) -> None:
        """Make the sums of logarithms long enough for the present step."""
        known = len(self._log_kept)
        if self._num_steps < known:
            return
        steps = range(known, max(2 * known, _FIRST_STEPS, self._num_steps + 1))
        logs = torch.tensor([math.log(decay_of(step, self._decay)) for step in steps], dtype=torch.float64)
        self._log_kept = torch.cat([self._log_kept, self._log_kept[-1] + logs.cumsum(0)])
