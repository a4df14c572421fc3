"""Compare kinds of calibration, single runs and ensembles, on the test split of logs, and what each costs in time.

Every recipe is trained once per seed without calibration; calibrators and means of logits are then made of the same
runs, so that all differences are paired. Runs that are there already are used again.

Example:
    python benchmarks/calibration.py recipes/private/criteo_10k/rankelastor.yaml --seeds 1,2,3,4,5,6
    python benchmarks/calibration.py recipes/private/frappe/rankelastor.yaml --every 10 --set training.batch_size=256
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer

from rankelastor.calibration.calibration import fit_calibration
from rankelastor.calibration.choice import FittedKind
from rankelastor.config.calibration import CALIBRATION_KINDS, CalibrationKind
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.evaluation.run_scorer import score_run
from rankelastor.evaluation.scoring import Predictions
from rankelastor.recipes.load import load_recipe, parse_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.load import load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.training.run import train

_METRICS = ("auc", "logloss", "calibration_ratio")
_KINDS: tuple[CalibrationKind, ...] = ("none", *(kind for kind in CALIBRATION_KINDS if kind != "none"))


@dataclass(frozen=True)
class Scored:
    """Predictions of one model, or of the mean of several, for valid and test."""

    valid: Predictions
    test: Predictions


def main(  # noqa: PLR0917 - typer passes keyword arguments
    recipes: Annotated[list[Path], typer.Argument(help="Recipes; each is a log.")],
    seeds: Annotated[str, typer.Option(help="Seeds, with commas between.")] = "1,2,3,4,5,6",
    members: Annotated[int, typer.Option(help="Members of an ensemble: neighbouring seeds.")] = 3,
    every: Annotated[int, typer.Option(help="Use every n-th row of the CSV files of train, valid and test.")] = 1,
    assignments: Annotated[list[str] | None, typer.Option("--set", help="Change a setting.")] = None,
    runs: Annotated[Path, typer.Option(help="Parent of the run folders.")] = Path("runs/calibration"),
    output: Annotated[Path | None, typer.Option(help="Write all figures to this JSON file.")] = None,
) -> None:
    """Train what is missing, calibrate, and print a table for each log."""
    figures: dict[str, Any] = {}
    for path in recipes:
        recipe = _recipe(path, runs, every=every, assignments=assignments or [])
        folders = [_trained(recipe, int(seed), runs) for seed in seeds.split(",")]
        found = figures[recipe.name] = _figures(folders, members)
        typer.echo(f"\n{recipe.name}: {len(folders)} seeds, ensembles of {members}\n")
        typer.echo(_table(found))
    if output is not None:
        output.write_text(json.dumps(figures, indent=2) + "\n")


def _recipe(path: Path, runs: Path, *, every: int, assignments: Sequence[str]) -> Recipe:
    overrides = {"training.threads": 1, "spectrum.every_steps": None, **parse_overrides(assignments)}
    recipe = load_recipe(path, overrides)
    prepared = runs / f"prepared-{recipe.name}"
    changed = {**overrides, "data.prepared": str(prepared)}
    if every > 1:
        folder = runs / f"data-{recipe.name}"
        folder.mkdir(parents=True, exist_ok=True)
        for split in ("train", "valid", "test"):
            source = Path(recipe.data.files.folder) / f"{split}.csv"
            pl.read_csv(source, infer_schema=False).gather_every(every).write_csv(folder / source.name)
        changed["data.files.folder"] = str(folder)
    return load_recipe(path, changed)


def _trained(recipe: Recipe, seed: int, runs: Path) -> Path:
    folder = runs / f"{recipe.name}-seed{seed}"
    if not RunFolder(folder).has_result:
        values = recipe.model_dump(mode="json")
        values["training"] |= {"seed": seed, "calibration": {"kind": "none"}}
        train(load_recipe(values), folder=folder)
    return folder


def _figures(folders: Sequence[Path], members: int) -> dict[str, Any]:
    singles = [_score(folder) for folder in folders]
    groups = [singles[start : start + members] for start in range(0, len(singles) - members + 1, members)]
    ensembles = [_mean(group) for group in groups]
    results = [RunFolder(folder).result() for folder in folders]
    return {
        "train_seconds": statistics.mean(result.seconds for result in results),
        "valid_rows": len(singles[0].valid.label),
        "test_rows": len(singles[0].test.label),
        "single": {kind: [_calibrated(each, kind) for each in singles] for kind in _KINDS},
        "ensemble": {kind: [_calibrated(each, kind) for each in ensembles] for kind in _KINDS},
    }


def _score(folder: Path) -> Scored:
    run = load_run(folder)
    dataset = run.dataset()
    valid, test = (
        score_run(run, BatchLoader(dataset.split(split), batch_size=8192)).predictions for split in ("valid", "test")
    )
    return Scored(valid, test)


def _mean(group: Sequence[Scored]) -> Scored:
    def mean(split: Sequence[Predictions]) -> Predictions:
        logits = np.mean([each.logits for each in split], axis=0)
        return split[0].with_probability(1 / (1 + np.exp(-logits)))

    return Scored(mean([each.valid for each in group]), mean([each.test for each in group]))


def _calibrated(scored: Scored, kind: CalibrationKind) -> dict[str, Any]:
    valid = scored.valid
    began = time.perf_counter()
    calibration = fit_calibration(kind, valid.label, valid.logits, tasks=valid.tasks, weight=valid.metric_weight)
    seconds = time.perf_counter() - began
    metrics = scored.test.calibrated(calibration).metrics(_METRICS).as_dict()
    fitted: list[FittedKind] = [choice.kind for choice in calibration.choices.values()]
    return {**metrics, "fit_seconds": seconds, "fitted": fitted}


def _table(found: Mapping[str, Any]) -> str:
    lines = [
        "| model | calibration | test AUC | test logloss | paired difference | worst | ratio | fitting |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for model in ("single", "ensemble"):
        before = [each["logloss"] for each in found[model]["none"]]
        for kind, rows in found[model].items():
            auc, logloss, ratio = (_spread([row[name] for row in rows]) for name in _METRICS)
            gains = [row["logloss"] - was for row, was in zip(rows, before, strict=True)]
            kept = sum(row["fitted"] not in ([], ["none"]) for row in rows)
            name = f"{kind} (fitted in {kept} of {len(rows)})" if kind == "auto" else kind
            milliseconds = statistics.mean(row["fit_seconds"] for row in rows) * 1e3
            shown = [_spread(gains, sign=True), f"{max(gains):+.4f}", f"{milliseconds:.0f} ms"]
            difference, worst, fitting = ["", "", ""] if kind == "none" else shown
            lines.append(f"| {model} | {name} | {auc} | {logloss} | {difference} | {worst} | {ratio} | {fitting} |")
    single, ensemble = found["single"]["none"], found["ensemble"]["none"]
    gain = statistics.mean(row["logloss"] for row in ensemble) - statistics.mean(row["logloss"] for row in single)
    lines.append(
        f"\nvalid {found['valid_rows']:,} rows, test {found['test_rows']:,}; a training "
        f"{found['train_seconds']:.1f} s; the ensemble's mean logloss is {gain:+.4f} from that of single runs"
    )
    return "\n".join(lines)


def _spread(values: Sequence[float], *, sign: bool = False) -> str:
    """Format the mean and the standard deviation over seeds."""
    mean = f"{statistics.mean(values):+.4f}" if sign else f"{statistics.mean(values):.4f}"
    return f"{mean} ± {statistics.stdev(values):.4f}" if len(values) > 1 else mean


if __name__ == "__main__":
    typer.run(main)
