"""The metrics of evaluated runs, as tables and as JSON: of one run with unseen values, or of several side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group

from rankelastor.cli.tables import metrics_view, unseen_view

if TYPE_CHECKING:
    from rankelastor.evaluation.evaluate import EvaluatedSplit


def evaluation_view(evaluated: Mapping[Path, EvaluatedSplit], *, split: str) -> Group:
    """Show the metrics: with unseen values if there is one run, else one column per run."""
    if len(evaluated) == 1:
        found = next(iter(evaluated.values()))
        return Group(metrics_view({split: found.metrics.as_dict()}), unseen_view(found.unseen.as_dict()))
    return Group(metrics_view({str(run): found.metrics.as_dict() for run, found in evaluated.items()}))


def evaluation_json(evaluated: Mapping[Path, EvaluatedSplit], *, split: str) -> dict[str, Any]:
    """Collect metrics and unseen values: those of one run at the top, those of several by the path of the run."""
    values = {
        str(run): {
            split: found.metrics.as_dict(),
            "unseen": {split: found.unseen.as_dict()},
            "alarms": [alarm.as_dict() for alarm in found.alarms],
        }
        for run, found in evaluated.items()
    }
    return next(iter(values.values())) if len(values) == 1 else values
