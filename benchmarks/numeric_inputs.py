"""Compare ways to give numbers to a ranker beside ids: encodings, initial deviation of the rows, a norm of their own.

    python benchmarks/numeric_inputs.py results.jsonl [--logs criteo soso made] [--seeds 1 2 3] [--seconds 100]
    python benchmarks/numeric_inputs.py results.jsonl --table

A run is one line of the file, and runs that stand there are not done again, so the script can be stopped and called
again; ``--seconds`` stops by itself. A seed chooses the split (60/20/20), the initial weights and the order, so that
variants are compared on the same rows. The recipe is what ``rankelastor init`` drafts, and the fields of numbers alone
differ. ``made`` is a log made here whose label follows four numbers (a wave, a step, a skewed price, and one that
matters for some items alone) and two ids. Source of criteo and soso: RANKELASTOR_DATA, cut to ``--rows``.
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

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from rankelastor.config.training import TrainingSettings
from rankelastor.drafting.infer import infer
from rankelastor.models import build
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.nn.norm import rms_norm
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.run import train

DATA = Path(os.environ.get("RANKELASTOR_DATA", "../shared/data"))
NUMBERS = {
    "standardise": {"kind": "numeric", "transform": "standardise"},
    "log": {"kind": "numeric", "transform": "log"},
    **{f"quantile {n}": {"kind": "quantile", "num_buckets": n} for n in (8, 16, 32, 64)},
    **{f"piecewise {n}": {"kind": "piecewise_linear", "num_buckets": n} for n in (4, 8, 16, 32, 64)},
}


class PeriodicNumbers(FieldEmbedding):
    """W [sin(2 pi c x), cos(2 pi c x)] + b of each number, with 16 learned frequencies c ~ N(0, 0.3).

    Source: Gorishniy et al. 2022, arXiv 2203.05556, equations 4 and 5 (PL).
    """

    def __init__(self, *, num_numeric: int, embedding_dim: int, **arguments: Any) -> None:
        super().__init__(num_numeric=num_numeric, embedding_dim=embedding_dim, **arguments)
        self.frequencies = nn.Parameter(0.3 * torch.randn(num_numeric, 16))
        self.maps = nn.Parameter(torch.randn(num_numeric, 32, embedding_dim) * (1 / 32) ** 0.5)
        self.shifts = nn.Parameter(torch.zeros(num_numeric, embedding_dim))

    def _numbers(self, found: Tensor, numbers: Tensor) -> list[Tensor]:  # noqa: ARG002
        angles = 2 * torch.pi * numbers.unsqueeze(2) * self.frequencies
        waves = torch.cat([angles.sin(), angles.cos()], dim=2)
        return [torch.einsum("bfk,fke->bfe", waves, self.maps) + self.shifts + 0 * self.numeric_vectors]


class PeriodicReluNumbers(PeriodicNumbers):
    """ReLU of it (PLR)."""

    def _numbers(self, found: Tensor, numbers: Tensor) -> list[Tensor]:
        return [torch.relu(super()._numbers(found, numbers)[0])]


class ReluNumbers(FieldEmbedding):
    """ReLU(x w + b), as a control: what the nonlinearity alone gives."""

    def __init__(self, *, num_numeric: int, embedding_dim: int, **arguments: Any) -> None:
        super().__init__(num_numeric=num_numeric, embedding_dim=embedding_dim, **arguments)
        self.shifts = nn.Parameter(torch.randn(num_numeric, embedding_dim))

    def _numbers(self, found: Tensor, numbers: Tensor) -> list[Tensor]:  # noqa: ARG002
        return [torch.relu(numbers.unsqueeze(2) * self.numeric_vectors + self.shifts)]


class NormedNumbers(FieldEmbedding):
    """The numbers' vectors under an RMS norm of their own, over all of them together, scaled as the rows are."""

    def _numbers(self, found: Tensor, numbers: Tensor) -> list[Tensor]:  # noqa: ARG002
        flat = (numbers.unsqueeze(2) * self.numeric_vectors).flatten(1)
        normed = rms_norm(flat, torch.ones_like(flat[0])) * self._initial_std
        return [normed.unflatten(1, self.numeric_vectors.shape)]


EMBEDDINGS = {
    "periodic": (PeriodicReluNumbers, "standardise"),
    "periodic log": (PeriodicReluNumbers, "log"),
    "periodic linear": (PeriodicNumbers, "standardise"),
    "relu": (ReluNumbers, "standardise"),
    "norm of their own": (NormedNumbers, "log"),
}
"""Embeddings that take the place of the library's, and the transform of the numbers that they read."""
_STEP = 0.7
DEVIATIONS = (1e-4, 1e-2, 5e-2)


def made_log(num_rows: int) -> pl.DataFrame:
    """Make a log whose label follows four numbers and two ids."""
    random = np.random.default_rng(0)
    item = random.zipf(1.3, num_rows) % 2_000
    user = random.integers(0, 1_000, num_rows)
    wave, step, matters = random.normal(size=(3, num_rows))
    price = np.exp(random.normal(3, 1.5, num_rows))
    logit = (
        random.normal(0, 0.7, 2_000)[item]
        + random.normal(0, 0.5, 1_000)[user]
        + 0.8 * np.sin(2.5 * wave)
        + 1.2 * (step > _STEP)
        - 0.4 * (np.log(price) - 3)
        + matters * (item % 3 - 1)
        - 1
    )
    clicked = random.random(num_rows) < 1 / (1 + np.exp(-logit))
    return pl.DataFrame(
        {"label": clicked.astype(int), "item_id": item, "user_id": user}
        | {"wave": wave, "step": step, "price": price, "matters": matters}
    ).with_columns(pl.col("wave", "step", "price", "matters").round(4))


def read_log(name: str, num_rows: int) -> tuple[pl.DataFrame, list[str]]:
    """Read a log with a column ``label``; return it and its columns of numbers."""
    if name == "made":
        return made_log(min(num_rows, 20_000)), ["wave", "step", "price", "matters"]
    if name == "criteo":
        frame = pl.read_csv(DATA / "criteo_10k" / "train.txt", separator="\t", has_header=False, infer_schema=False)
        numbers = [f"I{index}" for index in range(1, 14)]
        frame.columns = ["label", *numbers, *(f"C{index}" for index in range(1, 27))]
        return frame.head(num_rows), numbers
    frame = pl.read_csv(DATA / "soso_clicks" / "clicks.csv", infer_schema=False).rename({"click": "label"})
    return frame.drop("impression").head(num_rows), ["depth", "position"]


def recipe_of(
    frame: pl.DataFrame, numbers: list[str], *, variant: str, deviation: float, seed: int, folder: Path
) -> Recipe:
    """Draft the recipe of a log with one way to give the numbers."""
    draft = infer(frame, label="label")
    field = NUMBERS[EMBEDDINGS[variant][1] if variant in EMBEDDINGS else variant]
    ids = [{"kind": "categorical", "column": name} for name in frame.columns if name not in {"label", *numbers}]
    training = draft.training.value.model_dump(exclude_unset=True)
    model = draft.model.value.model_dump(exclude_unset=True) | {"embedding_std": deviation}
    name = f"{variant}-{deviation}-{seed}".replace(" ", "-")
    return Recipe.model_validate(
        {
            "name": name,
            "data": {
                "prepared": str(folder / name),
                "files": {"folder": str(folder), "all": "log.csv"},
                "split": {"kind": "random", "valid": 0.2, "test": 0.2, "seed": seed},
                "label": "label",
                "fields": [*ids, *({"column": number, **field} for number in numbers)],
            },
            "model": model,
            "training": TrainingSettings.model_validate(
                training | {"seed": seed, "threads": 1, "baseline": False}
            ).model_dump(exclude_unset=True),
        }
    )


def run(log: str, variant: str, deviation: float, seed: int, num_rows: int) -> dict[str, Any]:
    """Train once; return the line of the results."""
    frame, numbers = read_log(log, num_rows)
    build.FieldEmbedding = EMBEDDINGS.get(variant, (FieldEmbedding,))[0]  # type: ignore[misc] # what is compared
    with tempfile.TemporaryDirectory() as temporary:
        frame.write_csv(Path(temporary) / "log.csv")
        recipe = recipe_of(frame, numbers, variant=variant, deviation=deviation, seed=seed, folder=Path(temporary))
        result = train(recipe, folder=Path(temporary) / "run").result
    metrics = {name: result.test[name] for name in ("auc", "logloss")}
    where = {"log": log, "variant": variant, "deviation": deviation, "seed": seed, "rows": len(frame)}
    return {**where, **metrics, "valid_auc": result.valid["auc"], "epochs": result.epochs, "seconds": result.seconds}


def show(lines: list[dict[str, Any]]) -> None:
    """Print the mean of each variant, and its difference from ``log`` at the published deviation, paired by seed."""
    keys = ("log", "variant", "deviation", "seed")
    lines = list({tuple(line[key] for key in keys): line for line in lines}.values())  # two processes may do one run
    for log in dict.fromkeys(line["log"] for line in lines):
        here = [line for line in lines if line["log"] == log]
        base = {line["seed"]: line for line in here if (line["variant"], line["deviation"]) == ("log", 1e-4)}
        print(f"\n{log}, {here[0]['rows']:,} rows: test AUC and logloss; against log at 1e-4")  # noqa: T201
        for key in dict.fromkeys((line["variant"], line["deviation"]) for line in here):
            runs = [line for line in here if (line["variant"], line["deviation"]) == key and line["seed"] in base]
            cells = []
            for metric in ("auc", "logloss"):
                gains = [line[metric] - base[line["seed"]][metric] for line in runs]
                spread = stdev(gains) if len(gains) > 1 else float("nan")
                cells.append(f"{mean(line[metric] for line in runs):.4f} ({mean(gains):+.4f} +- {spread:.4f})")
            print(f"| {key[0]:<18} | {key[1]:<6g} | {cells[0]} | {cells[1]} | {len(runs)} |")  # noqa: T201


def main() -> None:
    """Run what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--logs", nargs="+", default=["criteo", "soso", "made"])
    parser.add_argument("--variants", nargs="+", default=[*NUMBERS, *EMBEDDINGS])
    parser.add_argument("--deviations", type=float, nargs="+", default=list(DEVIATIONS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    lines = (
        [json.loads(line) for line in arguments.results.read_text().splitlines()] if arguments.results.exists() else []
    )
    if arguments.table:
        show(lines)
        return
    logging.disable(logging.ERROR)
    done = {(line["log"], line["variant"], line["deviation"], line["seed"]) for line in lines}
    wanted = [
        (log, variant, deviation, seed)
        for seed in arguments.seeds
        for log in arguments.logs
        for deviation in arguments.deviations
        for variant in arguments.variants
    ]
    began = time.monotonic()
    for each in wanted:
        if each in done:
            continue
        if time.monotonic() - began > arguments.seconds:
            break
        line = json.dumps(run(*each, arguments.rows))
        with arguments.results.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)  # noqa: T201
    else:
        print("nothing is missing")  # noqa: T201


if __name__ == "__main__":
    main()
