"""A log of items with click rates of their own, and a recipe that learns them by heart: what calibration mends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit, logit

from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe


def write_log(folder: Path, *, num_rows: int = 3000, rate: float = 0.3) -> pl.DataFrame:
    """Rows of 300 items with rates around ``rate``, so that a ranker that is trained long learns items by heart."""
    draws = np.random.default_rng(11)
    item = draws.integers(0, 300, num_rows)
    true = expit(draws.normal(logit(rate), 0.7, 300))[item]
    like = (draws.random(num_rows) < 0.5).astype(int)
    frame = pl.DataFrame({"click": (draws.random(num_rows) < true).astype(int), "like": like, "item": item})
    frame.write_csv(folder / "log.csv")
    return frame


def recipe(folder: Path, kind: str | None, *, data: dict[str, Any] | None = None, **training: Any) -> Recipe:
    values: dict[str, Any] = {
        "name": "x",
        "data": {
            "prepared": str(folder / "prep"),
            "files": {"all": str(folder / "log.csv")},
            "split": {"kind": "random", "valid": 0.3, "test": 0.3, "seed": 1},
            "label": "click",
            "fields": [{"kind": "categorical", "column": "item"}],
            **(data or {}),
        },
        "model": {"kind": "mlp", "embedding_dim": 8, "hidden_dims": [16]},
        "training": {
            "batch_size": 64,
            "epochs": 6,
            "learning_rate": 0.02,
            "patience": 6,
            "rate_drop": 1.0,
            "device": "cpu",
            "baseline": False,
            **({} if kind is None else {"calibration": {"kind": kind}}),
            **training,
        },
    }
    return recipe_from_values({key: value for key, value in values.items() if value is not None})
