"""Requests made of a bundle's example rows, as clients send them: numbers as numbers, categories as texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from rankelastor.service.model import ServedModel

_NUMBERS = frozenset({"numeric", "quantile", "piecewise_linear"})


@dataclass(frozen=True)
class Ranking:
    """One context with candidates: the body of ``/v1/rank``, and the same rows in full."""

    body: bytes
    context: dict[str, Any]
    candidates: list[dict[str, Any]]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The candidates, each with the context."""
        return [self.context | each for each in self.candidates]


def ranking(model: ServedModel, num_candidates: int) -> Ranking:
    """Make a request whose context has the first half of the columns, and each candidate the second."""
    examples = model.facts.examples
    if examples is None:
        raise SystemExit("the bundle must hold example rows")
    numbers = {spec.column for spec in model.run.encoder.manifest.features if spec.kind in _NUMBERS}
    rows = [_typed(row, numbers) for row in examples.table.to_pylist()]
    columns = list(model.requests.columns)
    context = {name: rows[0][name] for name in columns[: len(columns) // 2]}
    rest = columns[len(columns) // 2 :]
    candidates = [{name: rows[index % len(rows)][name] for name in rest} for index in range(num_candidates)]
    return Ranking(json.dumps({"context": context, "candidates": candidates}).encode(), context, candidates)


def _typed(row: dict[str, Any], numbers: set[str]) -> dict[str, Any]:
    return {
        name: None if value in {None, ""} else float(value) if name in numbers else str(value)
        for name, value in row.items()
    }
