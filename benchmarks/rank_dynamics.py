"""Compare the rank of the tokens after each sublayer of RankMixer and RankElastor with equal dense parameters.

Trains both on the synthetic log (small, deep, wide and long) with several seeds, and reports for every measure whether
the paper's claim (arXiv 2605.23191) holds: RankElastor keeps a higher rank, expands more, shrinks less.
With --run-folders existing runs are measured instead; they are grouped by model kind.

Example:
    python benchmarks/rank_dynamics.py --rows 100000 --seeds 1,2,3 --output dynamics.json
    python benchmarks/rank_dynamics.py --run-folders runs/seeds --output frappe.json
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from rankelastor.data.prepare import prepare
from rankelastor.data.settings import DataSettings
from rankelastor.data.synthetic import write_click_log
from rankelastor.execution.allocator import keep_large_blocks
from rankelastor.models.cost import cost_of
from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import FeatureSchema
from rankelastor.spectrum.runs.measure_run import measure_run
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum
from rankelastor.training.run import train

KINDS = ("rankmixer", "rankelastor")


@dataclass(frozen=True)
class Scale:
    """One size of both models."""

    name: str
    num_tokens: int
    token_dim: int
    num_blocks: int
    epochs: int
    patience: int = 2


SCALES = (
    Scale("small", num_tokens=6, token_dim=12, num_blocks=2, epochs=8),
    Scale("deep", num_tokens=6, token_dim=12, num_blocks=6, epochs=8),
    Scale("wide", num_tokens=12, token_dim=36, num_blocks=2, epochs=8),
    Scale("long", num_tokens=6, token_dim=12, num_blocks=2, epochs=24, patience=24),
)
ALL_SCALES = ",".join(scale.name for scale in SCALES)


def main(
    rows: Annotated[int, typer.Option(help="Rows of the synthetic log.")] = 100_000,
    seeds: Annotated[str, typer.Option(help="Seeds of training, with commas between.")] = "1,2,3",
    scales: Annotated[str, typer.Option(help="Which sizes.")] = ALL_SCALES,
    run_folders: Annotated[Path | None, typer.Option(help="Measure the run folders below this one instead.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write all figures to this JSON file.")] = None,
) -> None:
    """Measure the runs, print Markdown, and write JSON if requested."""
    keep_large_blocks()
    if run_folders is not None:
        spectra = [measure_run(folder.parent) for folder in sorted(run_folders.glob("*/result.json"))]
        tables = {str(run_folders.name): _by_kind(spectra)}
    else:
        chosen = [scale for scale in SCALES if scale.name in scales.split(",")]
        with tempfile.TemporaryDirectory() as folder:
            tables = dict(
                _train_scales(Path(folder), chosen, rows=rows, seeds=[int(text) for text in seeds.split(",")])
            )
    figures = {name: _figures(by_kind) for name, by_kind in tables.items()}
    for name, by_kind in tables.items():
        typer.echo(_markdown(name, by_kind))
    if output is not None:
        output.write_text(json.dumps(figures, indent=1) + "\n")


def _train_scales(
    folder: Path, scales: list[Scale], *, rows: int, seeds: list[int]
) -> Iterator[tuple[str, dict[str, list[RunSpectrum]]]]:
    log = write_click_log(folder / "log", num_rows=rows, seed=7)
    data = log.data_settings(folder / "prepared")
    schema = prepare(data).schema
    for scale in scales:
        spectra = []
        for seed in seeds:
            for kind in KINDS:
                recipe = _recipe(kind, scale, data, schema, seed=seed)
                run = train(recipe, folder=folder / f"{scale.name}-{kind}-{seed}")
                spectra.append(measure_run(run.folder))
                typer.echo(f"{scale.name} {kind} seed {seed}: test AUC {run.result.test['auc']:.6f}", err=True)
        yield scale.name, _by_kind(spectra)


def _recipe(kind: str, scale: Scale, data: DataSettings, schema: FeatureSchema, *, seed: int) -> Recipe:
    """Build a recipe; the width of RankMixer's FFN is chosen to match RankElastor's number of dense parameters."""

    def recipe(hidden_dim: int) -> Recipe:
        glu = {"kind": "glu", "hidden_dims": [scale.token_dim], "dropout": 0.1}
        mlp = {"kind": "mlp", "hidden_dims": [hidden_dim], "dropout": 0.1}
        return recipe_from_values(
            {
                "name": f"{scale.name}-{kind}",
                "data": data.model_dump(mode="json"),
                "model": {
                    "kind": kind,
                    "embedding_dim": 8,
                    "num_tokens": scale.num_tokens,
                    "token_dim": scale.token_dim,
                    "num_blocks": scale.num_blocks,
                    "tokenizer": {"kind": "split"},
                    "ffn": glu if kind == "rankelastor" else mlp,
                },
                "training": {
                    "seed": seed,
                    "epochs": scale.epochs,
                    "patience": scale.patience,
                    "batch_size": 2048,
                    "learning_rate": 2e-3,
                    "embedding_l2": 1e-3,
                },
            }
        )

    if kind == "rankelastor":
        return recipe(1)
    target = cost_of(_recipe("rankelastor", scale, data, schema, seed=seed).model, schema).dense_parameters
    one, two = (cost_of(recipe(width).model, schema).dense_parameters for width in (1, 2))
    return recipe(1 + round((target - one) / (two - one)))


def _by_kind(spectra: list[RunSpectrum]) -> dict[str, list[RunSpectrum]]:
    return {kind: [spectrum for spectrum in spectra if spectrum.model == kind] for kind in KINDS}


def _figures(by_kind: dict[str, list[RunSpectrum]]) -> dict[str, object]:
    return {
        kind: {
            "test_auc": [spectrum.test_auc for spectrum in spectra],
            "dense_parameters": spectra[0].dense_parameters,
            "num_examples": spectra[0].num_examples,
            "mean_by_stage": {
                measure: {
                    stage: [s.recording[stage].examples[measure].mean for s in spectra] for stage in spectra[0].stages
                }
                for measure in spectra[0].trajectories
            },
        }
        for kind, spectra in by_kind.items()
        if spectra
    }


def _stage_means(spectra: list[RunSpectrum], measure: str, stage: str) -> list[float]:
    means = [spectrum.recording[stage].examples[measure].mean for spectrum in spectra]
    return [mean for mean in means if mean is not None]


def _markdown(name: str, by_kind: dict[str, list[RunSpectrum]]) -> str:
    both = [spectra for spectra in by_kind.values() if spectra]
    aucs = ", ".join(
        f"{spectra[0].model} AUC {_show([s.test_auc for s in spectra if s.test_auc is not None], 4)} "
        f"({spectra[0].dense_parameters:,} dense parameters)"
        for spectra in both
    )
    lines = [f"\n### {name}: {aucs}", "", "| stable rank | " + " | ".join(s[0].model for s in both) + " |"]
    lines.append("| --- |" + " --- |" * len(both))
    for stage in both[0][0].stages:
        shown = [_show(_stage_means(spectra, "stable_rank", stage), 3) for spectra in both]
        lines.append(f"| {stage} | {' | '.join(shown)} |")
    if len(both) == len(KINDS):
        lines += [
            "",
            "| measure | last stage | mean expansion | mean shrinking at FFNs | claim |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [_claim(by_kind, measure) for measure in both[0][0].trajectories]
    return "\n".join(lines)


def _claim(by_kind: dict[str, list[RunSpectrum]], measure: str) -> str:
    """Format the means over seeds, RankMixer's first, and whether all three parts of the claim hold."""
    last, expansion, shrinking = (
        [pick(by_kind[kind], measure) for kind in KINDS] for pick in (_last, _expansion, _shrinking)
    )
    holds = [last[1] > last[0], expansion[1] > expansion[0], shrinking[1] < shrinking[0]]
    verdict = "holds" if all(holds) else "fails" if not any(holds) else f"{sum(holds)} of 3 parts hold"
    cells = [f"{mixer:.3f} -> {elastor:.3f}" for mixer, elastor in (last, expansion, shrinking)]
    return f"| {measure} | {' | '.join(cells)} | {verdict} |"


def _last(spectra: list[RunSpectrum], measure: str) -> float:
    return statistics.mean(_stage_means(spectra, measure, spectra[0].stages[-1]))


def _expansion(spectra: list[RunSpectrum], measure: str) -> float:
    """Compute the mean over layers and seeds of the rank after the mixing minus the rank before it."""
    return _mean_change(spectra, measure, first=0)


def _shrinking(spectra: list[RunSpectrum], measure: str) -> float:
    """Compute the mean over layers and seeds of the rank before the FFN minus the rank after it."""
    return -_mean_change(spectra, measure, first=1)


def _mean_change(spectra: list[RunSpectrum], measure: str, *, first: int) -> float:
    stages = spectra[0].stages
    before = [statistics.mean(_stage_means(spectra, measure, stage)) for stage in stages[first:-1:2]]
    after = [statistics.mean(_stage_means(spectra, measure, stage)) for stage in stages[first + 1 :: 2]]
    return statistics.mean(b - a for a, b in zip(before, after, strict=True))


def _show(values: list[float], decimals: int) -> str:
    spread = f" ± {statistics.stdev(values):.{decimals}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{decimals}f}{spread}"


if __name__ == "__main__":
    typer.run(main)
