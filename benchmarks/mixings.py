"""Measure step time and AUC of full, Kronecker, low-rank and block mixing as T * D grows.

The rest of the ranker is the same for all mixings (joint tokenizer, one block, per-token MLP of width 16, linear head),
so that mainly the mixing grows. Step time: alternating rounds in one process with a rotating order; the ratio is that
of each round to full mixing in the same round. AUC: test split of the synthetic click log, same rows and seeds.

Each call adds its sizes and seeds to the JSON file, so that a long measurement can be divided:

    python benchmarks/mixings.py --sizes 10x20,20x30 --output benchmarks/reports/mixings.json
    python benchmarks/mixings.py --sizes 60x100 --seeds 2 --rounds 0 --output benchmarks/reports/mixings.json
"""

# ruff: noqa: T201 - a benchmark prints its figures

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch

from rankelastor.config.execution import ExecutionSettings
from rankelastor.config.optimiser import OptimiserSettings
from rankelastor.config.spectrum import SpectrumSettings
from rankelastor.config.training import TrainingSettings
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.synthetic import ClickLog, write_click_log
from rankelastor.execution.allocator import keep_large_blocks
from rankelastor.models.build import build_ranker
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.models.mixing_cost import divisor_near_root, mixing_cost
from rankelastor.models.mixings import MIXINGS
from rankelastor.models.rankmixer import RankMixerSettings
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.environment import describe_environment
from rankelastor.training.run import train
from rankelastor.training.step import Stepper

NUM_WARM_UP_STEPS = 2


def mixings(num_tokens: int, token_dim: int) -> dict[str, LayerSettings]:
    """Build the settings of the compared mixings, with the sizes that `rankelastor describe` suggests."""
    near_root = divisor_near_root(num_tokens * token_dim)
    sinkhorn = {"block_dim": near_root, "global_map": {"kind": "sinkhorn"}}
    return {
        "full": MIXINGS.settings("full"),
        "kronecker": MIXINGS.settings("kronecker", {"num_groups": divisor_near_root(num_tokens)}),
        "low_rank": MIXINGS.settings("low_rank", {"rank": near_root}),
        "block": MIXINGS.settings("block", {"block_dim": near_root}),
        "block, sinkhorn": MIXINGS.settings("block", sinkhorn),
    }


def ranker_settings(num_tokens: int, token_dim: int, mixing: LayerSettings) -> RankMixerSettings:
    """Build the settings of the ranker with a mixing."""
    values = {
        "kind": "rankmixer",
        "embedding_dim": 8,
        "num_tokens": num_tokens,
        "token_dim": token_dim,
        "num_blocks": 1,
        "tokenizer": {"kind": "joint"},
        "mixing": mixing,
        "ffn": {"kind": "mlp", "hidden_dims": [16]},
        "head": {"kind": "linear"},
    }
    return RankMixerSettings.model_validate(values)


def step_times(
    dataset: PreparedDataset, num_tokens: int, token_dim: int, arguments: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Measure the median step time of each mixing, and the median and range of its ratio to full mixing."""
    settings = TrainingSettings(batch_size=arguments.batch_size, execution=ExecutionSettings(device=arguments.device))
    loader = BatchLoader(dataset.split("train"), batch_size=arguments.batch_size, shuffle=True)
    batches = [batch for batch, _ in zip(loader.epoch(), range(arguments.steps), strict=False)]
    steppers = {}
    for name, mixing in mixings(num_tokens, token_dim).items():
        torch.manual_seed(0)
        ranker = build_ranker(ranker_settings(num_tokens, token_dim, mixing), dataset.schema)
        steppers[name] = Stepper(
            ranker.to(arguments.device).train(), settings.optimiser, settings.execution, batch_size=settings.batch_size
        )
        for batch in batches[:NUM_WARM_UP_STEPS]:
            steppers[name].step(batch)
    timed: dict[str, list[float]] = {name: [] for name in steppers}
    for index in range(arguments.rounds):
        names = list(steppers)
        for name in names[index % len(names) :] + names[: index % len(names)]:
            began = time.perf_counter()
            losses = [steppers[name].step(batch) for batch in batches]
            losses[-1].item()  # waits for the device
            timed[name].append(1e3 * (time.perf_counter() - began) / len(batches))
    return {name: _summary(milliseconds, timed["full"]) for name, milliseconds in timed.items()}


def _summary(milliseconds: list[float], of_full: list[float]) -> dict[str, float]:
    ratios = [one / other for one, other in zip(milliseconds, of_full, strict=True)]
    return {
        "ms": median(milliseconds),
        "ratio_to_full": median(ratios),
        "least_ratio": min(ratios),
        "most_ratio": max(ratios),
    }


def aucs(
    log: ClickLog, num_tokens: int, token_dim: int, arguments: argparse.Namespace, folder: Path
) -> dict[str, dict[str, float]]:
    """Train each mixing with each seed and return the test AUCs."""
    found: dict[str, dict[str, float]] = {}
    for seed in arguments.seeds:
        for name, mixing in mixings(num_tokens, token_dim).items():
            recipe = Recipe(
                name=f"mixing-{mixing.kind}",
                data=log.data_settings(folder / "prepared"),
                model=ranker_settings(num_tokens, token_dim, mixing),
                training=TrainingSettings(
                    seed=seed,
                    epochs=arguments.epochs,
                    batch_size=arguments.batch_size,
                    optimiser=OptimiserSettings(learning_rate=2e-3, embedding_l2=1e-3),
                    execution=ExecutionSettings(device=arguments.device),
                ),
                spectrum=SpectrumSettings(every_steps=None),
            )
            run = folder / f"run-{num_tokens}-{token_dim}-{seed}-{name.replace(', ', '-')}"
            found.setdefault(name, {})[str(seed)] = train(recipe, folder=run).result.test["auc"]
    return found


def measure(arguments: argparse.Namespace) -> None:
    """Measure the requested sizes and add them to the report."""
    keep_large_blocks()
    report = json.loads(arguments.output.read_text()) if arguments.output.is_file() else {"sizes": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = write_click_log(folder / "log", num_rows=arguments.rows)
        dataset = prepare(log.data_settings(folder / "prepared"))
        report["settings"] = {
            "rows": arguments.rows,
            "epochs": arguments.epochs,
            "batch_size": arguments.batch_size,
            "best_possible_test_auc": log.best["test"].auc,
        }
        facts = describe_environment(torch.device(arguments.device))
        report["environment"] = {key: value for key, value in facts.items() if key != "platform"}
        for num_tokens, token_dim in arguments.sizes:
            entry = report["sizes"].setdefault(f"{num_tokens}x{token_dim}", {name: {} for name in mixings(2, 2)})
            _add_costs(entry, dataset, num_tokens, token_dim)
            if arguments.rounds:
                for mixing, times in step_times(dataset, num_tokens, token_dim, arguments).items():
                    entry[mixing]["step"] = times | {"rounds": arguments.rounds}
            for mixing, by_seed in aucs(log, num_tokens, token_dim, arguments, folder).items():
                entry[mixing].setdefault("auc", {}).update(by_seed)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report, indent=2) + "\n")
    arguments.output.with_suffix(".md").write_text(markdown(report))
    print(markdown(report))


def _add_costs(entry: dict[str, Any], dataset: PreparedDataset, num_tokens: int, token_dim: int) -> None:
    for name, mixing in mixings(num_tokens, token_dim).items():
        cost = mixing_cost(ranker_settings(num_tokens, token_dim, mixing), dataset.schema)
        entry[name] |= {
            "settings": mixing.model_dump(mode="json"),
            "parameters": cost.parameters,
            "flops_per_example": cost.flops_per_example,
        }


def markdown(report: Mapping[str, Any]) -> str:
    """Format the report as a Markdown table."""
    settings, environment = report["settings"], report["environment"]
    head = (
        f"Synthetic click log of {settings['rows']:,} rows, {settings['epochs']} epochs, batches of "
        f"{settings['batch_size']}; {environment['processor']}, {environment['device']}, {environment['threads']} "
        f"threads, torch {environment['packages']['torch']}, commit {environment['commit']}. "
        f"Best possible test AUC {settings['best_possible_test_auc']:.4f}."
    )
    titles = "T x D|T * D|mixing|parameters|FLOPs per example|ms per step|of full, median (range)"
    columns = [*titles.split("|"), "test AUC by seed: mean"]
    lines = [head, "", f"| {' | '.join(columns)} |", f"| {' | '.join('---' for _ in columns)} |"]
    for size, entry in sorted(report["sizes"].items(), key=lambda item: _coordinates(item[0])):
        lines += [_row(size, name, figures) for name, figures in entry.items()]
    return "\n".join(lines) + "\n"


def _row(size: str, name: str, figures: Mapping[str, Any]) -> str:
    step = figures.get("step")
    times = ("", "")
    if step:
        ratio = f"{step['ratio_to_full']:.2f} ({step['least_ratio']:.2f} to {step['most_ratio']:.2f})"
        times = (f"{step['ms']:.1f}", ratio)
    by_seed = [value for _, value in sorted(figures.get("auc", {}).items())]
    auc = f"{', '.join(f'{value:.4f}' for value in by_seed)}: {mean(by_seed):.4f}" if by_seed else ""
    words = f"{name} {_size_of(figures['settings'])}".strip()
    costs = f"{figures['parameters']:,} | {figures['flops_per_example']:,}"
    return f"| {size} | {_coordinates(size):,} | {words} | {costs} | {times[0]} | {times[1]} | {auc} |"


def _size_of(settings: Mapping[str, Any]) -> str:
    return next((f"{settings[key]}" for key in ("num_groups", "rank", "block_dim") if key in settings), "")


def _coordinates(size: str) -> int:
    num_tokens, token_dim = _size(size)
    return num_tokens * token_dim


def _size(text: str) -> tuple[int, int]:
    num_tokens, token_dim = text.split("x")
    return int(num_tokens), int(token_dim)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = "10x20,20x30,30x50,40x75,60x100"
    parser.add_argument("--sizes", default=sizes, help=f"TxD, with commas between (default {sizes})")
    parser.add_argument(
        "--seeds", default="1,2", help="training seeds, with commas between; '' trains none (default 1,2)"
    )
    parser.add_argument("--rounds", type=int, default=9, help="rounds of step times; 0 skips them (default 9)")
    parser.add_argument("--steps", type=int, default=3, help="steps per round (default 3)")
    parser.add_argument("--rows", type=int, default=30_000, help="rows of the click log (default 30000)")
    parser.add_argument("--epochs", type=int, default=2, help="epochs of training (default 2)")
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/reports/mixings.json"))
    arguments = parser.parse_args()
    arguments.sizes = [_size(text) for text in arguments.sizes.split(",")]
    arguments.seeds = [int(text) for text in arguments.seeds.split(",") if text]
    torch.set_num_threads(arguments.threads)
    return arguments


if __name__ == "__main__":
    measure(parse_arguments())
