"""Compare what a ranker is given of a history: its mean, its last elements, its matches with the candidate.

    python benchmarks/history_inputs.py results.jsonl [--seeds 1 2 3] [--rows 30000] [--seconds 100]
    python benchmarks/history_inputs.py results.jsonl --table

The log is ml1m_history (RANKELASTOR_DATA), whole users drawn by the seed until there are ``--rows`` rows, and the
training has the same seed. The recipe is what ``rankelastor init`` drafts; the two sequence fields alone differ. A
run is one line of the file, and runs that stand there are not done again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import polars as pl

from rankelastor.drafting.infer import infer
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.run import train

LOG = Path(os.environ.get("RANKELASTOR_DATA", "../shared/data")) / "ml1m_history"
HISTORIES = {"history_item_id": "item_id", "history_genre": "genre"}
VARIANTS: dict[str, dict[str, Any]] = {
    "mean": {},
    "last 1": {"last": 1},
    "last 2": {"last": 2},
    "last 4": {"last": 4},
    "matches": {"matches": True},
    "last 1, matches": {"last": 1, "matches": True},
    "last 2, matches": {"last": 2, "matches": True},
    "target attention": {},
    "target attention, last 2, matches": {"last": 2, "matches": True},
}


def write_users(seed: int, num_rows: int, folder: Path) -> pl.DataFrame:
    """Write the splits of some users, drawn by the seed; return the rows of train."""
    splits = {name: pl.read_parquet(LOG / f"{name}.parquet") for name in ("train", "valid", "test")}
    counts = pl.concat([split.select("user_id") for split in splits.values()])["user_id"].value_counts(sort=True)
    order = counts.sort("user_id").sample(fraction=1.0, shuffle=True, seed=seed)
    users = order.filter(order["count"].cum_sum() <= num_rows)["user_id"]
    for name, split in splits.items():
        splits[name] = split.filter(pl.col("user_id").is_in(users.implode()))
        splits[name].write_parquet(folder / f"{name}.parquet")
    return splits["train"]


def recipe_of(variant: str, seed: int, train_rows: pl.DataFrame, folder: Path) -> Recipe:
    """Draft the recipe of the log with one way to read the histories."""
    draft = infer(train_rows, label="label")
    extra = VARIANTS[variant]
    sequences = [
        {"kind": "sequence", "column": history, "max_length": 30, "shares": candidate}
        | extra
        | ({"matches": candidate} if extra.get("matches") else {})
        for history, candidate in HISTORIES.items()
    ]
    plain = [name for name in train_rows.columns if name not in {"label", *HISTORIES}]
    model = draft.model.value.model_dump(exclude_unset=True)
    if variant.startswith("target attention"):
        model["sequence"] = {"kind": "target_attention", "hidden_dims": [16]}
    return Recipe.model_validate(
        {
            "name": variant.replace(" ", "-").replace(",", ""),
            "data": {
                "prepared": str(folder / "prepared"),
                "files": {"folder": str(folder)} | {name: f"{name}.parquet" for name in ("train", "valid", "test")},
                "label": "label",
                "fields": [
                    {"kind": "categorical", "column": plain},
                    *sequences,
                    {"kind": "group", "column": "user_id"},
                ],
            },
            "model": model,
            "training": draft.training.value.model_dump(exclude_unset=True)
            | {"seed": seed, "execution": {"threads": 1}, "baseline": False},
        }
    )


def run(variant: str, seed: int, num_rows: int) -> dict[str, Any]:
    """Train once; return the line of the results."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recipe = recipe_of(variant, seed, write_users(seed, num_rows, folder), folder)
        result = train(recipe, folder=folder / "run").result
    metrics = {name: result.test[name] for name in ("auc", "logloss", "gauc")}
    return {"variant": variant, "seed": seed, "rows": num_rows, **metrics, "epochs": result.epochs} | {
        "seconds": result.seconds,
        "examples_per_second": result.examples_per_second,
    }


def show(lines: list[dict[str, Any]]) -> None:
    """Print the mean of each variant, and its difference from the mean alone, paired by seed."""
    lines = list({(line["variant"], line["seed"]): line for line in lines}.values())  # two processes may do one run
    base = {line["seed"]: line for line in lines if line["variant"] == "mean"}
    for variant in dict.fromkeys(line["variant"] for line in lines):
        runs = [line for line in lines if line["variant"] == variant and line["seed"] in base]
        cells = []
        for metric in ("auc", "logloss", "gauc"):
            gains = [line[metric] - base[line["seed"]][metric] for line in runs]
            spread = stdev(gains) if len(gains) > 1 else float("nan")
            cells.append(f"{mean(line[metric] for line in runs):.4f} ({mean(gains):+.4f} +- {spread:.4f})")
        seconds = mean(line["seconds"] / line["epochs"] for line in runs)
        print(f"| {variant} | {' | '.join(cells)} | {seconds:.2f} | {len(runs)} |")  # noqa: T201


def main() -> None:
    """Run what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    path: Path = arguments.results
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if arguments.table:
        show(lines)
        return
    logging.disable(logging.ERROR)
    done = {(line["variant"], line["seed"]) for line in lines}
    missing = [(name, seed) for seed in arguments.seeds for name in arguments.variants if (name, seed) not in done]
    began = time.monotonic()
    for name, seed in missing:
        if time.monotonic() - began > arguments.seconds:
            return
        line = json.dumps(run(name, seed, arguments.rows))
        with path.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)  # noqa: T201
    print("nothing is missing")  # noqa: T201


if __name__ == "__main__":
    main()
