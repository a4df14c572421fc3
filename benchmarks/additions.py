"""Measure what each addition to the plain recipe costs in time: fields, value rates, averages, calibration, ensembles.

    python benchmarks/additions.py run --cuts cuts --output additions.jsonl
    python benchmarks/additions.py table additions.jsonl

A log is a cut of default_logs.py, and its recipe is the draft of `init` without anything that may be left out. Each
addition is made alone: the recipe is prepared and trained for a number of epochs, on one thread, in turn with the plain
one; what counts is processor time, so that other work on the machine disturbs little. Figures are medians over
rounds. A tuning of K trials takes at most K such trainings.
"""

# ruff: noqa: T201 - a benchmark prints its figures

from __future__ import annotations

import json
import logging
import os
import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from default_logs import cut_log
from practitioner import drafted_values

from rankelastor.ensembles.train import train_ensemble
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.run import train

app = typer.Typer(no_args_is_help=True)
Fields = list[dict[str, Any]]

_EPOCHS = 10
_MATCHES = ("last", "matches")
_PLAIN: Mapping[str, Any] = {
    "model.value_rates": False,
    "training.averaged_weights": None,
    "training.calibration.kind": "none",
    "training.optimiser.embedding_l2": 0.01,
    "training.stopping.patience": 100,
    "training.epochs": _EPOCHS,
    "training.baseline": False,
}


def _plain_fields(fields: Fields) -> Fields:
    """Leave out crossed columns, what a history says of the candidate, and buckets of numbers."""
    kept = [one for one in fields if one.get("kind") != "crossed"]
    without = [{key: value for key, value in one.items() if key not in _MATCHES} for one in kept]
    return [_as_number(one) if one.get("kind") == "quantile" else one for one in without]


def _as_number(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"column": one["column"], "kind": "numeric", "transform": "standardise"}


def _with_kind(kind: str) -> Callable[[Fields], Fields]:
    """Have this kind of field, and no other, as the draft has it."""

    def with_kind(fields: Fields) -> Fields:
        plain = [_plain_fields([one]) for one in fields]
        return [each for one, left in zip(fields, plain, strict=True) for each in ([one] if _is(one, kind) else left)]

    return with_kind


def _is(one: Mapping[str, Any], kind: str) -> bool:
    return any(key in one for key in _MATCHES) if kind == "sequence" else one.get("kind") == kind


def _train(recipe: Recipe, folder: Path) -> None:
    train(recipe, folder=folder / "run")


@dataclass(frozen=True)
class Addition:
    """What is added to the plain recipe, and how that is trained.

    Attributes:
        settings: settings by path.
        fields: the fields, from those of the draft.
        run: trains the recipe.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    fields: Callable[[Fields], Fields] = _plain_fields
    run: Callable[[Recipe, Path], object] = _train


ADDITIONS = {
    "nothing": Addition(),
    "numbers as quantile buckets": Addition(fields=_with_kind("quantile")),
    "crossed columns": Addition(fields=_with_kind("crossed")),
    "last element and matches of a history": Addition(fields=_with_kind("sequence")),
    "value rates": Addition({"model.value_rates": True}),
    "averaged weights": Addition({"training.averaged_weights": {"decay": 0.99}}),
    "calibration": Addition({"training.calibration.kind": "auto"}),
    "AdamW": Addition({"training.optimiser.weight_decay": 0.1}),
    "row-wise Adagrad": Addition({"training.optimiser.embedding_rule": "rowwise_adagrad"}),
    "cosine with warm-up": Addition({"training.schedule": {"kind": "cosine", "warmup_epochs": 0.5}}),
    "four evaluations an epoch": Addition({"training.evaluate_every": 0.25}),
    "ensemble of three seeds": Addition(
        run=lambda recipe, folder: train_ensemble(recipe, seeds=3, folder=folder / "e")
    ),
}


@app.command()
def run(
    output: Annotated[Path, typer.Option(help="JSON lines; what it has is not repeated.")],
    cuts: Annotated[Path, typer.Option(help="Folder of the cut logs.")],
    *,
    logs: Annotated[str, typer.Option(help="Logs of default_logs.py.")] = "criteo,ml1m,frappe",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, in each of which every addition is made once.")] = 3,
) -> None:
    """Measure what the file does not have."""
    logging.disable(logging.ERROR)
    done = {(row["log"], row["addition"], row["round"]) for row in _rows(output)}
    first = drafted_values(cut_log(logs.partition(",")[0], cuts, seed=1), Path("unused"))
    _measure(first, ADDITIONS["value rates"])  # imports, and what is compiled once
    for place in range(rounds):
        for log in logs.split(","):
            values = drafted_values(cut_log(log, cuts, seed=1), Path("unused"))
            of_draft = values["data"]["fields"]
            for name, addition in ADDITIONS.items():
                is_nothing = name != "nothing" and addition.run is _train and not addition.settings
                if (log, name, place) in done or (is_nothing and addition.fields(of_draft) == _plain_fields(of_draft)):
                    continue
                seconds = _measure(values, addition)
                with output.open("a") as file:
                    file.write(json.dumps({"log": log, "addition": name, "round": place, "seconds": seconds}) + "\n")
                print(f"{log:10} {name:40} {seconds:.2f} s", flush=True)


def _measure(values: Mapping[str, Any], addition: Addition) -> float:
    """Return the processor seconds of preparing and training."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        fields = addition.fields(values["data"]["fields"])
        data = {**values["data"], "prepared": str(folder / "prepared"), "fields": fields}
        recipe = with_overrides(recipe_from_values({**values, "data": data}), {**_PLAIN, **addition.settings})
        began = _processor_seconds()
        addition.run(recipe, folder)
        return round(_processor_seconds() - began, 3)


def _processor_seconds() -> float:
    """Return the processor time of this process and of those that it started."""
    return sum(os.times()[:4])


@app.command()
def table(output: Path) -> None:
    """Print the seconds of the plain recipe, and what each addition adds to it."""
    rows = _rows(output)
    logs = list(dict.fromkeys(row["log"] for row in rows))
    print(f"| addition | {' | '.join(logs)} |\n| --- |{' ---: |' * len(logs)}")
    for name in ADDITIONS:
        cells = [_cell(rows, log, name) for log in logs]
        print(f"| {name} | {' | '.join(cells)} |")


def _cell(rows: list[dict[str, Any]], log: str, name: str) -> str:
    plain, own = (
        {row["round"]: row["seconds"] for row in rows if (row["log"], row["addition"]) == (log, each)}
        for each in ("nothing", name)
    )
    if name == "nothing" or not own:
        return f"{statistics.median(own.values()):.2f} s" if own else ""
    more = [seconds - plain[place] for place, seconds in own.items() if place in plain]
    return f"{statistics.median(more):+.2f} ({min(more):+.2f} to {max(more):+.2f})"


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


if __name__ == "__main__":
    app()
