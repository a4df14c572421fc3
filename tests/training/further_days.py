"""Three days of a small log, and a recipe for each, for tests of training from day to day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe

ROWS = 60
KEEP = {"training.checkpoint.keep_after_end": True}


def write_days(folder: Path) -> None:
    """Three days of a log, with items that come and go."""
    draws = np.random.default_rng(3)
    for day in range(3):
        for split in ("train", "valid", "test"):
            lines = ["click,item,site,past"]
            for _ in range(ROWS):
                item, site = int(draws.integers(4)) + 2 * day, int(draws.integers(3))
                past = "|".join(f"i{int(draws.integers(6)) + 2 * day}" for _ in range(int(draws.integers(3))))
                lines.append(f"{int(draws.random() < 0.2 + 0.2 * site)},i{item},s{site},{past}")
            (folder / f"{split}-{day}.csv").write_text("\n".join(lines) + "\n")


def recipe_of(folder: Path, day: int, **changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "name": f"day-{day}",
        "data": {
            "prepared": str(folder / f"prepared-{day}"),
            "files": {"folder": str(folder), "train": f"train-{day}.csv", "valid": f"valid-{day}.csv"},
            "label": "click",
            "fields": [
                {"kind": "categorical", "column": ["item", "site"]},
                {"kind": "sequence", "column": "past", "separator": "|", "max_length": 3, "shares": "item"},
            ],
        },
        "model": {"kind": "mlp", "hidden_dims": [6], "embedding_dim": 4},
        "training": {"epochs": 2, "batch_size": 64, "patience": 9, "baseline": False, "output_bias": "zero"},
    }
    values["data"]["files"]["test"] = f"test-{day}.csv"
    return with_overrides(recipe_from_values(values), {**KEEP, **changes})
