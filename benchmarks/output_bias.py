"""Compare output biases that start at zero and at the label rate, on logs whose positives were thinned.

    python benchmarks/output_bias.py [--rates 0.33 0.01] [--seeds 1 2 3] [--epochs 6] [--every 1] [--biases zero]

Rows with label 1 of Frappe are left out evenly until they make up the given share of each split; the largest rate is
that of the log itself. ``--every 4`` takes every fourth row. The table shows the logloss of valid over that of the mean
rate (normalised entropy) after each epoch, and AUC and logloss of test, as means over seeds.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import polars as pl

from rankelastor.recipes.load import load_recipe, with_overrides
from rankelastor.training.run import train

RECIPE = Path(__file__).parents[1] / "recipes" / "frappe" / "rankelastor.yaml"


def thinned_log(source: Path, target: Path, rate: float, *, every: int) -> Path:
    """Write the splits with positives left out evenly until ``rate`` of the rows are positive."""
    target.mkdir(parents=True)
    for split in ("train", "valid", "test"):
        frame = pl.read_csv(source / f"{split}.csv", infer_schema=False).gather_every(every).with_row_index("row")
        negative, positive = frame.filter(pl.col("label") == "0"), frame.filter(pl.col("label") == "1")
        kept = min(len(positive), round(rate / (1 - rate) * len(negative)))
        chosen = positive.gather_every(max(1, len(positive) // kept)).head(kept)
        pl.concat([negative, chosen]).sort("row").drop("row").write_csv(target / f"{split}.csv")
    return target


def run(folder: Path, log: Path, *, bias: str, seed: int, epochs: int) -> dict[str, Any]:
    """Train once; return the normalised entropy of valid by epoch, and AUC and logloss of test."""
    recipe = with_overrides(
        load_recipe(RECIPE),
        {
            "data.files.folder": str(log),
            "data.prepared": str(log / "prepared"),
            "training.output_bias": bias,
            "training.seed": seed,
            "training.epochs": epochs,
            "training.patience": epochs,
            "training.monitor": "logloss",
            "training.baseline": False,
            "spectrum.every_steps": None,
        },
    )
    trained = train(recipe, folder=folder)
    lines = [json.loads(line) for line in (trained.folder / "metrics.jsonl").read_text().splitlines()]
    return {
        "entropy": [line["metrics"]["normalized_entropy"] for line in lines],
        "auc": trained.result.test["auc"],
        "logloss": trained.result.test["logloss"],
    }


def main() -> None:
    """Train with either bias on each log and print the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.33, 0.01])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--biases", nargs="+", default=["zero", "base_rate"])
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)
    source = Path(os.environ.get("RANKELASTOR_DATA", "../shared/data")) / "frappe"
    with tempfile.TemporaryDirectory() as temporary:
        for rate in arguments.rates:
            log = thinned_log(source, Path(temporary) / f"log-{rate}", rate, every=arguments.every)
            for bias in arguments.biases:
                runs = [
                    run(log / f"{bias}-{seed}", log, bias=bias, seed=seed, epochs=arguments.epochs)
                    for seed in arguments.seeds
                ]
                entropy = [mean(values) for values in zip(*(each["entropy"] for each in runs), strict=True)]
                shown = "  ".join(f"{value:.4f}" for value in entropy)
                test = "  ".join(
                    f"{name} {mean(values):.5f} +- {stdev(values) if len(values) > 1 else 0:.5f}"
                    for name in ("auc", "logloss")
                    for values in [[each[name] for each in runs]]
                )
                print(f"rate {rate:<6} {bias:<9} valid entropy by epoch  {shown}   test {test}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
