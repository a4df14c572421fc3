"""How one setting is drawn: from a range, from integers, or from a list."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rankelastor.errors import SettingsError, shorten

DrawKind = Literal["log", "between", "integer", "one_of"]
_HOW = "try {log: [1e-4, 1e-2]}, {between: [0, 0.5]}, {integer: [1, 3]} or {one_of: [8, 16, 32]}"
_DIGITS = 4
"""Significant digits of a drawn number: more say nothing and are hard to read."""


@dataclass(frozen=True)
class Draw:
    """The values that a setting may take: ``log`` and ``between`` are ranges of numbers, ``integer`` of whole ones.

    ``values`` holds the two ends of a range, or the values of ``one_of``.

    Example:
        >>> Draw.parse("model.num_blocks", {"integer": [1, 3]})
        Draw(kind='integer', values=(1, 3))
    """

    kind: DrawKind
    values: tuple[Any, ...]

    @classmethod
    def parse(cls, name: str, given: Any) -> Draw:
        """Read a draw as it stands in YAML.

        Raises:
            SettingsError: it is none, its ends are wrong, or it leaves nothing to choose.
        """
        if not isinstance(given, Mapping) or len(given) != 1 or next(iter(given)) not in get_args(DrawKind):
            raise SettingsError(
                f"{name} must say how it is drawn, with one of {', '.join(get_args(DrawKind))}, but "
                f"{shorten(given)} was given; {_HOW}"
            )
        ((kind, values),) = given.items()
        if not isinstance(values, list | tuple) or len(values) < 2:  # noqa: PLR2004 - one value is no choice
            raise SettingsError(
                f"{name} must have two values or more to choose from, but {shorten(values)} was given; {_HOW}"
            )
        draw = cls(kind, tuple(values))
        if kind != "one_of":
            draw._check_range(name)
        elif len({json.dumps(value) for value in values}) < len(values):
            raise SettingsError(f"{name} must name each value once, but {shorten(list(values))} was given")
        return draw

    def value_of(self, drawn: Any) -> Any:
        """Return the setting for what optuna drew.

        Example:
            >>> Draw("log", (1e-4, 1e-2)).value_of(0.00123456), Draw("one_of", ([64], [64, 32])).value_of("[64, 32]")
            (0.001235, [64, 32])
        """
        if self.kind == "one_of":
            return json.loads(drawn)
        return int(drawn) if self.kind == "integer" else _round(float(drawn), *self.values)

    def drawn_as(self, value: Any) -> Any:
        """Return what optuna would have drawn for a setting, None if it lies outside.

        Example:
            >>> Draw("between", (0, 0.5)).drawn_as(0.2), Draw("between", (0, 0.5)).drawn_as(0.7)
            (0.2, None)
        """
        if self.kind == "one_of":
            return next((json.dumps(each) for each in self.values if _alike(each, value)), None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        low, high = self.values
        return value if low <= value <= high and (self.kind != "integer" or value == int(value)) else None

    def as_dict(self) -> dict[str, Any]:
        """Write the draw as it stands in YAML."""
        return {self.kind: list(self.values)}

    def _check_range(self, name: str) -> None:
        values = self.values
        if len(values) != 2:  # noqa: PLR2004
            raise SettingsError(f"{name}.{self.kind} must have two ends, but {list(values)} was given; {_HOW}")
        wanted = "whole numbers" if self.kind == "integer" else "numbers"
        for value in values:
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not is_number or (self.kind == "integer" and value != int(value)):
                raise SettingsError(f"{name}.{self.kind} must have {wanted} as ends, but {shorten(value)} was given")
        low, high = values
        if low >= high:
            raise SettingsError(f"{name}.{self.kind} must begin below its end, but [{low}, {high}] was given")
        if self.kind == "log" and low <= 0:
            raise SettingsError(f"{name}.log must begin above 0, but {low} was given; try between, or a small number")


def _round(number: float, low: float, high: float) -> float:
    return float(min(max(float(f"{number:.{_DIGITS}g}"), low), high))


def _alike(first: Any, second: Any) -> bool:
    return json.dumps(first) == json.dumps(list(second) if isinstance(second, tuple) else second)
