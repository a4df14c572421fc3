"""Fit the edges of quantile buckets on the train rows of staged parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rankelastor.config.fields import QuantileField
from rankelastor.data.building.field_plan import FieldPlan
from rankelastor.data.building.row_splits import SplitCodes
from rankelastor.data.building.staging import StagedPart
from rankelastor.data.building.train_rows import train_rows
from rankelastor.data.features.quantiles import OrderStatistics, distinct_edges, edge_places


def fit_edges(plan: FieldPlan, parts: Sequence[StagedPart], splits: SplitCodes) -> dict[str, tuple[float, ...]]:
    """The edges of each quantile feature, by name: exact, from a fixed number of passes in bounded memory."""
    fields = {
        index: feature.settings
        for index, feature in enumerate(plan.features)
        if isinstance(feature.settings, QuantileField)
    }
    sizes = dict.fromkeys(fields, 0)
    for index, numbers in _numbers(list(fields), parts, splits):
        sizes[index] += len(numbers)
    selections = {
        index: OrderStatistics(edge_places(sizes[index], field.num_buckets))
        for index, field in fields.items()
        if sizes[index]
    }
    while any(not selection.done for selection in selections.values()):
        for index, numbers in _numbers(list(selections), parts, splits):
            selections[index].add(numbers)
        for selection in selections.values():
            selection.end_pass()
    found = {index: distinct_edges(selection.values) for index, selection in selections.items()}
    return {plan.features[index].name: found.get(index, ()) for index in fields}


def _numbers(
    indices: Sequence[int], parts: Sequence[StagedPart], splits: SplitCodes
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The numbers of each feature in each part, train rows only, without blanks."""
    if not indices:
        return
    for _, columns, is_train in train_rows(parts, splits):
        for index in indices:
            numbers = columns.numbers(index)[is_train]
            yield index, numbers[~np.isnan(numbers)]
