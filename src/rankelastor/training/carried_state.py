"""The state of a finished training by name of parameter, which another training goes on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

from rankelastor.training.carried_rows import TABLE, VALUE_RATES, RowMoves

Moments = tuple[Tensor, Tensor, Tensor]
"""First moment, second moment and number of steps of a parameter under Adam."""

_MOMENTS = ("first", "second", "steps")


@dataclass(frozen=True)
class CarriedState:
    """Weights and what the optimiser knows of them.

    Attributes:
        weights: parameters and buffers.
        moments: those of Adam, by parameter; empty if they were not kept.
        sums: sums of squares of row-wise Adagrad, one for each row of the table; None if it was not used or kept.
        averages: averaged weights, by parameter; empty if there were none.
        num_averaged: number of steps that the averages are of.
        epochs_done: epochs of all trainings so far.
    """

    weights: Mapping[str, Tensor]
    moments: Mapping[str, Moments] = field(default_factory=dict)
    sums: Tensor | None = None
    averages: Mapping[str, Tensor] = field(default_factory=dict)
    num_averaged: int = 0
    epochs_done: float = 0.0

    @classmethod
    def of_checkpoint(
        cls, tensors: Mapping[str, Tensor], *, parameters: Sequence[str], trained: Sequence[str], epochs_done: float
    ) -> Self:
        """Name the tensors of a checkpoint that was written after an evaluation, so that no row is behind.

        Args:
            tensors: the state as ``Updates.state`` gave it, and others.
            parameters: names of all parameters of the ranker, in its order.
            trained: names of those that have gradients, in its order.
            epochs_done: epochs of all trainings so far.

        Raises:
            ValueError: the tensors are no state of a training of this ranker.
        """
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in ("model", "adam", "table", "rows", "average")}
        for key, tensor in tensors.items():
            part, _, name = key.partition(".")
            if part in parts:
                parts[part][name] = tensor
        dense = [name for name in parameters if name != TABLE]
        moments = _moments(parts["adam"], [*dense, TABLE]) | _moments(parts["table"], [TABLE])
        rows, average = parts["rows"], parts["average"]
        if "first" in rows:
            moments[TABLE] = rows["first"], rows["second"], torch.tensor(float(len(rows["scale"]) - 1))
        by_row = "rows" in average
        averaged = [name for name in trained if not (by_row and name == TABLE)]
        averages = {name: average[str(index)] for index, name in enumerate(averaged) if str(index) in average}
        return cls(
            weights=parts["model"],
            moments=moments,
            sums=rows.get("sums"),
            averages=averages | ({TABLE: average["rows"]} if by_row else {}),
            num_averaged=int(average["steps"]) if average else 0,
            epochs_done=epochs_done,
        )

    def with_weights(self, weights: Mapping[str, Tensor]) -> CarriedState:
        """Replace the weights, and the averages of them, by those of another evaluation; moments stay."""
        averages = {name: weights[name] for name in self.averages}
        return CarriedState(weights, self.moments, self.sums, averages, self.num_averaged, self.epochs_done)

    def moved(self, moves: RowMoves, fresh: Mapping[str, Tensor]) -> CarriedState:
        """Move the state to a ranker whose vocabularies know more values.

        Args:
            moves: which rows the new rows begin as.
            fresh: the weights of the new ranker before training, which hold the vectors of new values.
        """

        def weights(name: str, former: Tensor) -> Tensor:
            rows = moves.by_tensor.get(name)
            if rows is None:
                return former
            if name in (TABLE, VALUE_RATES):
                return rows.weights(former)
            return torch.where(rows.is_new.unsqueeze(1), fresh[name].cpu(), rows.weights(former))

        def moments(name: str, former: Tensor) -> Tensor:
            rows = moves.by_tensor.get(name)
            return former if rows is None else rows.moments(former)

        return CarriedState(
            weights={name: weights(name, tensor) for name, tensor in self.weights.items()},
            moments={
                name: (moments(name, first), moments(name, second), steps)
                for name, (first, second, steps) in self.moments.items()
            },
            sums=None if self.sums is None else moments(TABLE, self.sums),
            averages={name: weights(name, tensor) for name, tensor in self.averages.items()},
            num_averaged=self.num_averaged,
            epochs_done=self.epochs_done,
        )


def _moments(state: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Moments]:
    """Name the moments of one Adam, whose parameters were numbered.

    Raises:
        ValueError: it had more parameters.
    """
    numbers = sorted({int(key.partition(".")[0]) for key in state})
    if numbers and numbers[-1] >= len(names):
        raise ValueError(f"moments of {len(names)} parameters are known, not of {numbers[-1] + 1}")
    try:
        return {names[each]: _of(state, each) for each in numbers}
    except KeyError as error:
        raise ValueError(f"moments {error} are missing") from None


def _of(state: Mapping[str, Tensor], number: int) -> Moments:
    first, second, steps = (state[f"{number}.{name}"] for name in _MOMENTS)
    return first, second, steps
