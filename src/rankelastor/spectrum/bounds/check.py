"""The outcome of holding one of the paper's statements against given matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Condition:
    """What a statement supposes, in words, and whether the given matrices meet it."""

    name: str
    holds: bool


@dataclass(frozen=True)
class BoundCheck:
    """A bound beside the value it is about.

    A bound may hold although a condition does not: conditions are enough for it, not always needed.

    Attributes:
        statement: its name, such as ``split_mixing_lower``.
        side: whether the value is said to be at least or at most the bound.
        bound: what the statement says.
        measured: what the matrices have.
        conditions: what it supposes.
        tolerance: how far rounding may take the value over the bound, relative to a bound above 1.

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
        """Distance of the value from the bound; negative where the bound is broken."""
        return self.measured - self.bound if self.side == "at least" else self.bound - self.measured

    @property
    def holds(self) -> bool:
        """Whether the value is on the side of the bound that the statement says."""
        return self.slack >= -self.tolerance * max(self.bound, 1.0)

    @property
    def conditions_hold(self) -> bool:
        """Whether every condition is met."""
        return all(condition.holds for condition in self.conditions)

    @property
    def broken_conditions(self) -> tuple[str, ...]:
        """The conditions that are not met."""
        return tuple(condition.name for condition in self.conditions if not condition.holds)
