"""The result of checking one of the paper's bounds on given matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Condition:
    """An assumption of a statement, in words, and whether the given matrices meet it."""

    name: str
    holds: bool


@dataclass(frozen=True)
class BoundCheck:
    """A bound, the measured value that it limits, and the conditions of the statement.

    The conditions are sufficient, not always necessary: a bound may hold although a condition does not.

    Attributes:
        statement: name of the statement, such as ``split_mixing_lower``.
        side: ``"at least"`` for a lower bound, ``"at most"`` for an upper bound.
        bound: value of the bound.
        measured: value measured on the matrices.
        conditions: assumptions of the statement.
        tolerance: rounding error that is allowed beyond the bound, relative to max(bound, 1).

    Example:
        >>> check = BoundCheck("split_mixing_lower", "at least", 2.0, 2.5, (Condition("equal norms", True),))
        >>> check.slack, check.holds, check.conditions_hold
        (0.5, True, True)
    """

    statement: str
    side: Literal["at least", "at most"]
    bound: float
    measured: float
    conditions: tuple[Condition, ...]
    tolerance: float = 1e-8

    @property
    def slack(self) -> float:
        """Distance of the measured value from the bound; negative where the bound is violated."""
        return self.measured - self.bound if self.side == "at least" else self.bound - self.measured

    @property
    def holds(self) -> bool:
        """Whether the measured value keeps the bound, up to the tolerance."""
        return self.slack >= -self.tolerance * max(self.bound, 1.0)

    @property
    def conditions_hold(self) -> bool:
        """Whether every condition is met."""
        return all(condition.holds for condition in self.conditions)

    @property
    def broken_conditions(self) -> tuple[str, ...]:
        """Names of the conditions that are not met."""
        return tuple(condition.name for condition in self.conditions if not condition.holds)
