"""Compare rankers as a practitioner meets them with trees and logistic regression: out of the box, averaged, tuned.

    python benchmarks/practitioner.py run --logs criteo,soso --seeds 1,2,3 --cuts cuts --output practitioner.jsonl
    trees-env/bin/python benchmarks/default_trees.py cuts practitioner.jsonl
    python benchmarks/practitioner.py table practitioner.jsonl

A log and seed is a cut of default_logs.py: its rows and its split. RankElastor and RankMixer are trained as the verb
`init` drafts the recipe for the train rows: once, as an ensemble of three seeds, and tuned with eight trials on valid.
Logistic regression is the library's own, out of the box. default_trees.py adds CatBoost and LightGBM with their
defaults, from an environment of their own, to the same file; tuned trees are still missing here. A run is one line, and
runs that stand there are not done again.
"""

from __future__ import annotations

import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from default_logs import LABEL, cut_log

from rankelastor.drafting.draft import written
from rankelastor.drafting.infer import infer
from rankelastor.ensembles.train import train_ensemble
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.result import RunResult
from rankelastor.training.run import train
from rankelastor.tuning.tune import tune

app = typer.Typer(no_args_is_help=True)

_SEEDS = 3
_TRIALS = 8
_ONCE = ("logistic_regression",)
_METRICS = ("auc", "logloss", "expected_calibration_error")


def _averaged(recipe: Recipe, folder: Path) -> RunResult:
    return train_ensemble(recipe, seeds=_SEEDS, folder=folder / "ensemble").result


def _tuned(recipe: Recipe, folder: Path) -> RunResult:
    best = tune(recipe, trials=_TRIALS, folder=folder / "tune").recipe
    return train(best, folder=folder / "tuned").result


WAYS: dict[str, tuple[str, Callable[[Recipe, Path], RunResult]]] = {
    "once": ("", lambda recipe, folder: train(recipe, folder=folder / "run").result),
    "averaged": (f", {_SEEDS} seeds", _averaged),
    "tuned": (f", {_TRIALS} trials", _tuned),
}
"""What follows the name of the model in the results, and how it is trained, by way."""


@app.command()
def run(
    output: Annotated[Path, typer.Option(help="JSON lines; what it has is not repeated.")],
    cuts: Annotated[Path, typer.Option(help="Folder of the cut logs.")],
    *,
    logs: Annotated[str, typer.Option(help="Logs of default_logs.py, with :ROWS for fewer rows.")] = "criteo,soso,ml1m",
    seeds: Annotated[str, typer.Option(help="Seeds, which draw rows, split and weights.")] = "1,2,3",
    models: Annotated[str, typer.Option(help="Models.")] = "rankelastor,rankmixer,logistic_regression",
    ways: Annotated[str, typer.Option(help="Ways: once, averaged over seeds, tuned.")] = ",".join(WAYS),
    seconds: Annotated[float, typer.Option(help="Begin no further run after this time.")] = float("inf"),
) -> None:
    """Train what the file does not have."""
    logging.disable(logging.ERROR)
    began = time.monotonic()
    chosen = [(model, way) for model in models.split(",") for way in ways.split(",")]
    ranked = [(model, way) for model, way in chosen if way == "once" or model not in _ONCE]
    for seed in map(int, seeds.split(",")):
        for log in logs.split(","):
            for model, way in ranked:
                if (log, model + WAYS[way][0], seed) in _done(output):
                    continue
                if time.monotonic() - began > seconds:
                    return
                row = {"log": log, "seed": seed, **_measure(cut_log(log, cuts, seed=seed), model, way, seed)}
                with output.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                typer.echo(f"{log:12} {row['variant']:24} {seed} AUC {row['auc']:.4f} logloss {row['logloss']:.4f}")


def _done(output: Path) -> set[tuple[str, str, int]]:
    lines = output.read_text().splitlines() if output.is_file() else []
    return {(row["log"], row["variant"], row["seed"]) for row in map(json.loads, lines)}


def _measure(cut: Path, model: str, way: str, seed: int) -> dict[str, Any]:
    """Train one way; return the row of the results."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        recipe = with_overrides(
            recipe_from_values(drafted_values(cut, Path(temporary))), {"model.kind": model, "training.seed": seed}
        )
        behind, trained = WAYS[way]
        result = trained(recipe, Path(temporary))
    metrics = {name: result.test[name] for name in _METRICS}
    return {"variant": model + behind, **metrics, "seconds": round(time.perf_counter() - began, 2)}


def drafted_values(cut: Path, folder: Path) -> dict[str, Any]:
    """Draft the recipe for the train rows of a cut, as `rankelastor init` does; it is prepared in ``folder``."""
    draft = infer(pl.read_parquet(cut / "train.parquet"), label=LABEL)
    return {
        "version": 2,
        "name": "practitioner",
        "data": {
            "prepared": str(folder / "prepared"),
            "files": {"folder": str(cut), **{split: f"{split}.parquet" for split in ("train", "valid", "test")}},
            "label": LABEL,
            "fields": [written(field) for field in draft.fields],
        },
        "model": {"kind": "rankelastor"},
        "training": {"threads": 1},
    }


@app.command()
def table(output: Path) -> None:
    """Print test AUC and logloss of each variant on each log, as means over seeds."""
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    for log in dict.fromkeys(row["log"] for row in rows):
        typer.echo(f"\n| {log} | AUC | logloss | seconds | seeds |\n| --- | --- | --- | --- | --- |")
        for variant in dict.fromkeys(row["variant"] for row in rows):
            here = [row for row in rows if (row["log"], row["variant"]) == (log, variant)]
            if here:
                cells = [f"{statistics.fmean(row[name] for row in here):.4f}" for name in ("auc", "logloss")]
                seconds = statistics.fmean(row["seconds"] for row in here)
                typer.echo(f"| {variant} | {' | '.join(cells)} | {seconds:.0f} | {len(here)} |")


if __name__ == "__main__":
    app()
