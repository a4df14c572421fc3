"""A planted log of several days: from day to day some values of each field go, and new ones take their places."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rankelastor.data.planted.settings import PlantedSettings
from rankelastor.data.planted.truth import Truth, generator
from rankelastor.storage import whole_file

_DRIFT = 4
_FIRST_DAY = dt.date(2026, 1, 1)


@dataclass(frozen=True)
class DriftingDay:
    """One day: its date, the values of its rows, their clicks and the true probabilities of these."""

    date: dt.date
    values: NDArray[np.int64]
    label: NDArray[np.int8]
    probability: NDArray[np.float64]


def drifting_days(
    settings: PlantedSettings, *, num_days: int, rows_per_day: int, churn: float
) -> Iterator[DriftingDay]:
    """Draw the rows of each day.

    A value is a place among the values of its field, with a share of the rows, and a number that no other value of the
    field has on any day. When a value goes, a new one with effects and latent vectors of its own takes its place.

    Args:
        settings: the truth of the first day; its numbers of rows are not used.
        num_days: number of days.
        rows_per_day: rows of each day.
        churn: share of the values of each field that go from one day to the next.

    Example:
        >>> few = PlantedSettings(num_fields=2, num_interactions=1, vocabulary=5)
        >>> first, second = drifting_days(few, num_days=2, rows_per_day=1000, churn=1.0)
        >>> first.date.isoformat(), int(first.values.max()), int(second.values.min()), second.values.shape
        ('2026-01-01', 4, 5, (1000, 2))
    """
    truth = Truth.of(settings)
    numbers = [np.arange(size) for size in settings.sizes]
    for day in range(num_days):
        draws = generator(settings.seed, _DRIFT, day)
        if day:
            truth = _next_day(truth, numbers, churn, draws)
        places = truth.codes(draws, rows_per_day)
        probability = truth.probabilities(places)
        values = np.stack([known[places[:, field]] for field, known in enumerate(numbers)], axis=1)
        label = (draws.random(rows_per_day) < probability).astype(np.int8)
        yield DriftingDay(_FIRST_DAY + dt.timedelta(days=day), values, label, probability)


def write_drifting_log(
    path: str | Path, settings: PlantedSettings, *, num_days: int, rows_per_day: int, churn: float
) -> None:
    """Write the days of ``drifting_days`` to one Parquet file: the columns ``day`` (a date), ``click`` and the fields.

    Raises:
        StorageError: the file cannot be written.
    """
    names = settings.field_names
    schema = pa.schema([("day", pa.date32()), ("click", pa.int8()), *((name, pa.int64()) for name in names)])
    days = drifting_days(settings, num_days=num_days, rows_per_day=rows_per_day, churn=churn)
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for day in days:
            fields = {name: day.values[:, field] for field, name in enumerate(names)}
            columns = {"day": [day.date] * len(day.label), "click": day.label, **fields}
            writer.write_table(pa.table(columns, schema=schema))


def _next_day(truth: Truth, numbers: list[NDArray[np.int64]], churn: float, draws: np.random.Generator) -> Truth:
    """Replace some values of each field by new ones: ``numbers`` in place, effects and vectors in a new truth."""
    effects, latent = [each.copy() for each in truth.effects], [each.copy() for each in truth.latent]
    for field, known in enumerate(numbers):
        goes = draws.random(len(known)) < churn
        effects[field][goes] = draws.normal(size=int(goes.sum()))
        latent[field][goes] = draws.normal(size=(int(goes.sum()), truth.settings.rank))
        known[goes] = known.max() + 1 + np.arange(int(goes.sum()))
    return replace(truth, effects=tuple(effects), latent=tuple(latent))
