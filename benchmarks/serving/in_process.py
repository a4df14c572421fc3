"""What encoding and scoring costs in one process, without a service: ours, and the plain one's."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from benchmarks.serving.bodies import Ranking
from benchmarks.serving.plain_service import PlainRanker

from rankelastor.evaluation.row_scorer import RowScorer
from rankelastor.service.columns import raw_rows
from rankelastor.service.model import ServedModel

_REPEATS = 25


def in_process_ms(model: ServedModel, ranker: PlainRanker | None, asked: Ranking) -> dict[str, float]:
    """Measure the median milliseconds of each way to encode and score the same rows.

    ``predict`` is the way of ``predict`` and of files, ``service`` that of the service for rows, ``context once`` that
    for a ranking, ``score`` is without encoding, and ``plain`` the plain service's.
    """
    batch = model.encode(asked.rows)
    rows = asked.rows
    with closing(RowScorer(model.run)) as score:
        ways: dict[str, Callable[[], Any]] = {
            "predict": lambda: score(raw_rows(rows, model.requests.columns)),
            "service": lambda: model.score(model.encode(rows)),
            "context once": lambda: model.score(model.encode(asked.candidates, context=asked.context)),
            "score": lambda: model.score(batch),
        }
        if ranker is not None:
            ways["plain"] = lambda: ranker.score(rows)
        return medians_ms(ways)


def medians_ms(ways: dict[str, Callable[[], Any]], *, repeats: int = _REPEATS) -> dict[str, float]:
    """Measure the median milliseconds of each way, in turns, so that what else the machine does meets all alike."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            times[name].append(1000 * (time.perf_counter() - began))
    return {name: round(statistics.median(found), 4) for name, found in times.items()}
