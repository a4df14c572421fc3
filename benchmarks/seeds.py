"""Train recipes with several seeds and print a table of test metrics with their spread.

Example:
    python benchmarks/seeds.py recipes/private/frappe/rankelastor.yaml --seeds 1,2,3
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Annotated

import torch
import typer

from rankelastor.execution.allocator import keep_large_blocks
from rankelastor.recipes.load import load_recipe
from rankelastor.runs.environment import describe_environment
from rankelastor.runs.result import RunResult
from rankelastor.training.run import train


def main(
    recipes: Annotated[list[Path], typer.Argument(help="Recipes to compare.")],
    seeds: Annotated[str, typer.Option(help="Seeds, with commas between.")] = "1,2,3",
    runs: Annotated[Path, typer.Option(help="Parent of the run folders, which must be new.")] = Path("runs/seeds"),
    output: Annotated[Path | None, typer.Option(help="Write all results to this JSON file.")] = None,
) -> None:
    """Train every recipe with every seed, one after the other, and compare them."""
    keep_large_blocks()
    results: dict[str, list[RunResult]] = {}
    for seed in (int(text) for text in seeds.split(",")):
        for path in recipes:
            recipe = load_recipe(path, {"training.seed": seed})
            run = train(recipe, folder=runs / f"{recipe.name}-seed{seed}")
            results.setdefault(recipe.name, []).append(run.result)
            result, test = run.result, run.result.test
            gauc = f"gAUC {test['gauc']:.6f}, " if "gauc" in test else ""
            typer.echo(
                f"{recipe.name} seed {seed}: valid AUC {result.valid['auc']:.6f}, test AUC {test['auc']:.6f}, "
                f"{gauc}logloss {test['logloss']:.6f}, {result.epochs} epochs, {result.seconds:.0f} s"
            )
    typer.echo(_table(results))
    if output is not None:
        environment = {
            key: value for key, value in describe_environment(torch.device("cpu")).items() if key != "platform"
        }
        plain = {name: [result.as_dict() for result in found] for name, found in results.items()}
        output.write_text(json.dumps({"environment": environment, "results": plain}, indent=2) + "\n")


def _table(results: dict[str, list[RunResult]]) -> str:
    lines = [
        "| recipe | dense parameters | valid AUC | test AUC | test gAUC | test logloss | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, runs in results.items():
        valid = _mean_and_spread([run.valid["auc"] for run in runs])
        auc, gauc, logloss = (_metric(runs, metric) for metric in ("auc", "gauc", "logloss"))
        seconds = f"{min(run.seconds for run in runs):.0f}-{max(run.seconds for run in runs):.0f}"
        lines.append(
            f"| {name} | {runs[0].cost.dense_parameters:,} | {valid} | {auc} | {gauc} | {logloss} | {seconds} |"
        )
    return "\n".join(lines)


def _metric(runs: list[RunResult], metric: str) -> str:
    """Format a metric of the test split; blank if the runs lack it, as gAUC without a group column."""
    values = [run.test[metric] for run in runs if metric in run.test]
    return _mean_and_spread(values) if values else ""


def _mean_and_spread(values: list[float]) -> str:
    """Format the mean and the standard deviation over the seeds."""
    spread = statistics.stdev(values) if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.6f} ± {spread:.6f}"


if __name__ == "__main__":
    typer.run(main)
