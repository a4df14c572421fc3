"""A small log of three days that drifts, and a recipe for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rankelastor.data.planted.drift import write_drifting_log
from rankelastor.data.planted.settings import PlantedSettings


def drifting_recipe(
    folder: Path, *, vocabulary: int, rows_per_day: int, churn: float, min_count: int = 1
) -> dict[str, Any]:
    """Write the log to ``log.parquet`` in a folder, and return the settings of its recipe."""
    settings = PlantedSettings(num_fields=3, num_interactions=2, vocabulary=vocabulary)
    write_drifting_log(folder / "log.parquet", settings, num_days=3, rows_per_day=rows_per_day, churn=churn)
    return {
        "name": "drift",
        "data": {
            "prepared": "unused",
            "files": {"folder": str(folder), "all": "log.parquet"},
            "split": {"kind": "random", "valid": 0.3},
            "label": "click",
            "fields": [{"kind": "categorical", "column": "f*", "min_count": min_count}],
        },
        "model": {"kind": "mlp", "hidden_dims": [6], "embedding_dim": 4},
        "training": {"epochs": 1, "batch_size": 100},
    }
