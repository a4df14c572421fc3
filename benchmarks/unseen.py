"""Measure the gain in AUC from replacing rare values by out of vocabulary in training, by share and maximum count.

Logs: soso_clicks (min_count 1, 2, 3), avazu_10k and criteo_10k without a minimum count, and a synthetic log in which
ads and users are active for a limited time, so that valid and test contain many that are unseen in training.

Example:
    python benchmarks/unseen.py --logs soso_1,churn --shares 0,0.05,0.2 --max-counts 1,3 --seeds 1,2,3
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import torch
import typer

from rankelastor.execution.allocator import keep_large_blocks
from rankelastor.recipes.load import load_recipe, recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.environment import describe_environment
from rankelastor.runs.result import RunResult
from rankelastor.training.run import train

NUM_ROWS = 80_000
_POPULAR_SHARE = 0.5


def main(  # noqa: PLR0917 - options of a command line
    logs: Annotated[str, typer.Option(help="Logs to train on.")] = "soso_1,soso_2,soso_3,churn,avazu,criteo",
    shares: Annotated[str, typer.Option(help="Shares of rare values to replace.")] = "0,0.02,0.05,0.1,0.2,0.5",
    max_counts: Annotated[str, typer.Option(help="Train counts up to which a value is rare.")] = "1,3",
    seeds: Annotated[str, typer.Option(help="Seeds, with commas between.")] = "1,2,3",
    recipe: Annotated[Path | None, typer.Option(help="Train this recipe instead of the logs.")] = None,
    output: Annotated[Path | None, typer.Option(help="Append one JSON line per run to this file.")] = None,
) -> None:
    """Train each log with each setting and seed, and compare each setting with share 0, seed by seed."""
    torch.set_num_threads(1)
    keep_large_blocks()
    with tempfile.TemporaryDirectory() as folder:
        for log in [str(recipe)] if recipe else logs.split(","):
            base = load_recipe(recipe) if recipe else _recipe(log, Path(folder))
            results: dict[tuple[float, int], list[RunResult]] = {}
            for share, max_count in _settings(shares, max_counts):
                for seed in map(int, seeds.split(",")):
                    run = Path(folder) / f"{base.name}-{share}-{max_count}-{seed}"
                    result = train(_change_recipe(base, share, max_count, seed, Path(folder)), folder=run).result
                    results.setdefault((share, max_count), []).append(result)
                    if output is not None:
                        _append(output, log=log, share=share, max_count=max_count, result=result)
            typer.echo(f"\n{log}: {_describe(results[0.0, 1][0])}\n\n{_table(results)}", color=False)
    environment = describe_environment(torch.device("cpu"))
    typer.echo(f"\ncommit {environment['commit']}, {environment['processor']}, one thread")


def _settings(shares: str, max_counts: str) -> list[tuple[float, int]]:
    """List the settings: share 0 once, and every other share with every maximum count."""
    replaced = [share for share in map(float, shares.split(",")) if share]
    return [(0.0, 1), *((share, count) for count in map(int, max_counts.split(",")) for share in replaced)]


def _change_recipe(recipe: Recipe, share: float, max_count: int, seed: int, folder: Path) -> Recipe:
    """Change the setting and the seed of a recipe; the seed also draws the split if it is random."""
    changes: dict[str, Any] = {
        "data.prepared": str(folder / f"{recipe.name}-data-{seed}"),
        "training.rare_as_unseen": {"share": share, "max_count": max_count},
        "training.seed": seed,
        "training.threads": 1,
    }
    if recipe.data.split is not None and recipe.data.split.kind == "random":
        changes["data.split.seed"] = seed
    return with_overrides(recipe, changes)


def _recipe(log: str, folder: Path) -> Recipe:
    """Load the recipe of a log: the shipped recipe with another minimum count, or that of the synthetic log."""
    name, _, min_count = log.partition("_")
    if name == "churn":
        return _churn(folder)
    shipped = {"soso": "soso_clicks", "avazu": "avazu_10k", "criteo": "criteo_10k"}[name]
    recipe = load_recipe(Path("recipes") / "private" / shipped / "rankelastor.yaml")
    changes: dict[str, Any] = {
        f"data.fields.{index}.min_count": int(min_count or 1)
        for index, field in enumerate(recipe.data.fields)
        if field.kind == "categorical"
    }
    return with_overrides(recipe, changes)


def _churn(folder: Path) -> Recipe:
    """Write the synthetic log, ordered by time, in which each ad and user is active for a limited time."""
    rng = np.random.default_rng(11)
    time = np.arange(NUM_ROWS) / NUM_ROWS
    ad, user = (_draw_active_ids(rng, time, number) for number in (2_000, 6_000))
    category, segment = rng.integers(0, 25, 2_000)[ad], rng.integers(0, 40, 6_000)[user]
    site = rng.integers(0, 60, NUM_ROWS)
    logit = (
        rng.normal(0, 0.8, 2_000)[ad]
        + rng.normal(0, 0.8, 6_000)[user]
        + rng.normal(0, 0.5, 25)[category]
        + rng.normal(0, 0.5, 60)[site]
        + rng.normal(0, 1.0, (40, 25))[segment, category]
        - 1.5
    )
    click = (rng.random(NUM_ROWS) < 1 / (1 + np.exp(-logit))).astype(np.int8)
    columns = {"click": click, "ad": ad, "user": user, "category": category, "site": site, "segment": segment}
    pl.DataFrame(columns).write_csv(folder / "churn.csv")
    return recipe_from_values(
        {
            "name": "churn",
            "data": {
                "prepared": str(folder / "prepared"),
                "files": {"folder": str(folder), "all": "churn.csv"},
                "split": {"kind": "file_order", "valid": 0.1, "test": 0.1},
                "label": "click",
                "fields": [{"kind": "categorical", "column": [name for name in columns if name != "click"]}],
            },
            "model": {
                "kind": "rankelastor",
                "embedding_dim": 8,
                "num_tokens": 5,
                "token_dim": 8,
                "num_blocks": 1,
                "tokenizer": {"kind": "joint", "hidden_dims": [64], "dropout": 0.1},
                "ffn": {"kind": "glu", "hidden_dims": [8], "dropout": 0.1},
            },
            "training": {"batch_size": 512, "embedding_l2": 0.005, "learning_rate": 0.002},
        }
    )


def _draw_active_ids(rng: np.random.Generator, time: np.ndarray[Any, Any], number: int) -> np.ndarray[Any, Any]:
    """Draw one of ``number`` ids per row; id k is active around time k / number, and some are more frequent."""
    place = np.clip(time + rng.normal(0, 0.08, len(time)), 0, 0.9999) * number
    popular = np.floor(place / 8) * 8  # every eighth id is about as frequent as the next seven together
    is_popular = rng.random(len(time)) < _POPULAR_SHARE
    return np.where(is_popular, popular, place).astype(np.int64)


def _describe(result: RunResult) -> str:
    unseen = result.unseen["test"]
    return f"{unseen.share_of_examples:.1%} of {result.test['num_examples']:,} test rows contain an unseen value"


def _table(results: dict[tuple[float, int], list[RunResult]]) -> str:
    plain = results[0.0, 1]
    lines = [
        "| share | rare: at most | test AUC | against share 0 | AUC of rows with unseen values | against share 0 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (share, max_count), runs in results.items():
        cells = []
        for auc in (_test_auc, _unseen_auc):
            gains = [auc(run) - auc(other) for run, other in zip(runs, plain, strict=True)]
            cells += [f"{statistics.mean(map(auc, runs)):.5f}", _mean_and_spread(gains) if share else ""]
        lines.append(f"| {share:g} | {max_count if share else ''} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _test_auc(result: RunResult) -> float:
    return float(result.test["auc"])


def _unseen_auc(result: RunResult) -> float:
    auc = result.unseen["test"].auc
    return float("nan") if auc is None else auc


def _mean_and_spread(values: list[float]) -> str:
    """Format the mean and its standard error over the seeds."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):+.5f} ± {error:.5f}"


def _append(output: Path, *, log: str, share: float, max_count: int, result: RunResult) -> None:
    with output.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"log": log, "share": share, "max_count": max_count, "result": result.as_dict()}) + "\n")


if __name__ == "__main__":
    typer.run(main)
