"""The Pareto front: the points to which no other is better at the same cost or cheaper at the same quality."""

from __future__ import annotations

from collections.abc import Mapping


def pareto_front(costs: Mapping[str, float], values: Mapping[str, float]) -> tuple[str, ...]:
    """List the names on the front of low cost and high value, the cheapest first.

    Example:
        >>> pareto_front({"a": 1, "b": 2, "c": 3, "d": 2}, {"a": 0.7, "b": 0.8, "c": 0.75, "d": 0.8})
        ('a', 'b', 'd')
    """
    names = [name for name in costs if name in values]
    front = [
        name
        for name in names
        if not any(
            costs[other] <= costs[name]
            and values[other] >= values[name]
            and (costs[other] < costs[name] or values[other] > values[name])
            for other in names
        )
    ]
    return tuple(sorted(front, key=lambda name: costs[name]))
