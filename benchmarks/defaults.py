"""Screen the defaults of training one at a time on small logs, as paired differences from a base.

A run trains one variant on one log and seed, which draws the rows, the split and the weights, and appends a JSON line;
runs that the file has already are not repeated. Trees run in an environment of their own (default_trees.py) and append
to a file of the same form.

Example:
    python benchmarks/defaults.py run --logs soso,criteo --variants base,l2_0 --seeds 1,2,3 --output defaults.jsonl
    python benchmarks/defaults.py table defaults.jsonl
"""

from __future__ import annotations

import json
import logging
import math
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import torch
import typer
from default_logs import LABEL, cut_log
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.metrics import log_loss, roc_auc_score

from rankelastor.data.prepared import PreparedDataset
from rankelastor.drafting.crosses import find_crosses
from rankelastor.drafting.profile import profile_table
from rankelastor.evaluation.scoring import score_split
from rankelastor.recipes.load import recipe_from_values
from rankelastor.training.epoch_batches import scoring_loader
from rankelastor.training.run import train

app = typer.Typer(no_args_is_help=True)

_LOGS = "frappe,ml1m,soso,criteo,avazu,generated"
_NUMERIC: dict[str, dict[str, Any]] = {
    "as_is": {"kind": "numeric"},
    "standardise": {"kind": "numeric", "transform": "standardise"},
    "log": {"kind": "numeric", "transform": "log"},
    "quantile": {"kind": "quantile", "num_buckets": 20},
}

VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    # out of the box: a recipe of version 2 that names its model alone
    "auto": {"numeric": "quantile", "auto": True},
    "auto_few": {"numeric": "quantile", "auto": True},  # the same, after the choice for few labels was added
    # the same with the crossed fields that a draft proposes
    "auto_crossed": {"numeric": "quantile", "auto": True, "crosses": True},
    "auto_without_rates": {"numeric": "quantile", "auto": True, "crosses": True, "network": {"value_rates": False}},
    "auto_rankmixer": {"numeric": "quantile", "auto": True, "model": "rankmixer"},
    # the settings with which docs/use.md began
    "newcomer": {"batch": 4096, "l2": 1e-5, "rate_drop": 0.1, "patience": 2, "monitor": "auc", "min_count": 5},
    "newcomer_few_steps_only": {"batch": 4096},
    "published_plateau": {"rate_drop": 0.1, "patience": 2},
    "steps_30": {"steps": 30},
    "steps_150": {"steps": 150},
    "steps_300": {"steps": 300},
    "lr_5e-4": {"learning_rate": 5e-4},
    "lr_2e-3": {"learning_rate": 2e-3},
    "lr_4e-3": {"learning_rate": 4e-3},
    "l2_0": {"l2": 0.0},
    "l2_1e-5": {"l2": 1e-5},
    "l2_1e-4": {"l2": 1e-4},
    "l2_1e-3": {"l2": 1e-3},
    "l2_3e-3": {"l2": 3e-3},
    "l2_3e-2": {"l2": 3e-2},
    "std_1e-3": {"std": 1e-3},
    "std_1e-2": {"std": 1e-2},
    "std_5e-2": {"std": 5e-2},
    "std_5e-2_l2_0": {"std": 5e-2, "l2": 0.0},
    "auc": {"monitor": "auc"},
    "auc_minus_logloss": {"monitor": {"auc": 1, "logloss": -1}},
    "patience_8": {"patience": 8},
    "dropout_0": {"dropout": 0.0},
    "dropout_.1": {"dropout": 0.1},
    "dropout_.4": {"dropout": 0.4},
    "width_4": {"embedding_dim": 4, "token_dim": 4},
    "width_16": {"embedding_dim": 16, "token_dim": 16},
    "tokens_4": {"num_tokens": 4},
    "tokens_16": {"num_tokens": 16},
    "blocks_2": {"num_blocks": 2},
    "min_count_2": {"min_count": 2},
    "min_count_5": {"min_count": 5},
    "as_is": {"numeric": "as_is"},
    "log": {"numeric": "log"},
    "quantile": {"numeric": "quantile"},
    "rare_0": {"rare": 0.0},
    "rare_.1": {"rare": 0.1},
    "rankmixer": {"model": "rankmixer"},
    "first_order": {"first_order": True},
    "pooled_history": {"history": False},
    "no_norm": {"tokenizer": {"norm": False}},
    "linear_tokens": {"tokenizer": {"hidden_dims": []}},
    "no_norm_linear": {"tokenizer": {"norm": False, "hidden_dims": []}},
    "split": {"network": {"tokenizer": {"kind": "split"}}},
    "mean_head": {"network": {"head": {"kind": "mean"}}},
    "linear_head": {"network": {"head": {"kind": "linear"}}},
    "hidden_200": {"tokenizer": {"hidden_dims": [200]}},
    "l2_5e-2": {"l2": 5e-2},
    "B_256": {"batch": 256},
    "B_1024": {"batch": 1024},
    "no_blocks": {"num_blocks": 0},
    "mlp": {"model": "mlp"},
    "deepfm": {"model": "deepfm"},
    "fm": {"model": "fm"},
    "logistic_regression": {"model": "logistic_regression"},
    "inside": {"patience": 8, "more": {"evaluate_every": 0.25}},
    "cosine_2": {"more": {"epochs": 2, "schedule": {"kind": "cosine", "warmup_epochs": 0.1}}},
    "cosine_4": {"more": {"epochs": 4, "schedule": {"kind": "cosine", "warmup_epochs": 0.2}}},
    "cosine_8": {"more": {"epochs": 8, "schedule": {"kind": "cosine", "warmup_epochs": 0.2}}},
    "warmup": {"more": {"schedule": {"kind": "plateau", "warmup_epochs": 0.5}}},
    "adamw_.1": {"optimiser": {"weight_decay": 0.1}},
    "adamw_1": {"optimiser": {"weight_decay": 1.0}},
    "adagrad_.02": {"optimiser": {"embedding_rule": "rowwise_adagrad", "embedding_learning_rate": 0.02}},
    "adagrad_.1": {"optimiser": {"embedding_rule": "rowwise_adagrad", "embedding_learning_rate": 0.1}},
    "rows_x3": {"optimiser": {"embedding_learning_rate": 3e-3}},
    "rows_/3": {"optimiser": {"embedding_learning_rate": 3e-4}},
}
"""Changes of the base by variant; a name with + between names joins the changes of several."""

BASE: dict[str, Any] = {
    "steps": 75,
    "batch": None,
    "learning_rate": 1e-3,
    "l2": 1e-2,
    "rate_drop": 0.5,
    "patience": 4,
    "monitor": "logloss",
    "std": None,
    "dropout": 0.2,
    "embedding_dim": 8,
    "token_dim": 8,
    "num_tokens": 8,
    "num_blocks": 1,
    "min_count": 1,
    "numeric": "standardise",
    "rare": 0.5,
    "model": "rankelastor",
    "auto": False,
    "first_order": False,
    "history": True,
    "crosses": False,
    "tokenizer": {},
    "network": {},
    "optimiser": {},
    "more": {},
}


@app.command("run")
def run_all(  # noqa: PLR0917 - options of a command line
    logs: Annotated[str, typer.Option(help="Logs, with :ROWS for fewer rows.")] = _LOGS,
    variants: Annotated[str, typer.Option(help="Variants; all where empty.")] = "",
    seeds: Annotated[str, typer.Option(help="Seeds, with commas between.")] = "1,2,3",
    output: Annotated[Path, typer.Option(help="Append one JSON line per run to this file.")] = Path("defaults.jsonl"),
    cuts: Annotated[Path, typer.Option(help="Folder of the cut logs.")] = Path("default-logs"),
    minutes: Annotated[float, typer.Option(help="Begin no run after these minutes.")] = math.inf,
) -> None:
    """Train each variant on each log with each seed, on one thread."""
    logging.getLogger("rankelastor").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    began = time.monotonic()
    for variant in variants.split(",") if variants else VARIANTS:
        for seed in map(int, seeds.split(",")):
            for log in logs.split(","):
                if time.monotonic() - began > 60 * minutes:
                    return
                if (log, variant, seed) in {(row["log"], row["variant"], row["seed"]) for row in _rows(output)}:
                    continue
                row = run(log, variant, seed, cuts)
                with output.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                typer.echo(f"{log:10} {variant:20} {seed} AUC {row['auc']:.4f} logloss {row['logloss']:.4f}")


def run(log: str, variant: str, seed: int, cuts: Path) -> dict[str, Any]:
    """Train one variant on one log and measure it on test, as it is and with a slope and offset fitted on valid."""
    folder = cut_log(log, cuts, seed=seed)
    chosen = settings_of(variant)
    with tempfile.TemporaryDirectory() as temporary:
        place = folder / f"prepared-{chosen['numeric']}-{chosen['min_count']}-{chosen['history']}-{chosen['crosses']}"
        recipe = recipe_from_values(_recipe(folder, place, chosen, seed))
        began = time.perf_counter()
        trained = train(recipe, folder=Path(temporary) / "run")
        seconds = time.perf_counter() - began
        dataset, result = PreparedDataset.open(place), trained.result
        scored = {
            split: score_split(
                trained.ranker, scoring_loader(dataset, split, recipe.training), recipe.training.execution,
                tasks=dataset.schema.tasks,
            )
            for split in ("valid", "test")
        }  # fmt: skip
    valid, test = ((each.label[:, 0], each.probability[:, 0]) for each in scored.values())
    slope, offset = platt(*valid)
    rate = np.concatenate([shard.labels[:, 0] for shard in dataset.split("train").shards]).mean()
    return {
        "log": log,
        "variant": variant,
        "seed": seed,
        "auc": float(roc_auc_score(*test)),
        "logloss": result.test["logloss"],
        "calibrated": float(log_loss(test[0], expit(slope * logit(np.clip(test[1], 1e-7, 1 - 1e-7)) + offset))),
        "constant": float(log_loss(test[0], np.full(len(test[0]), rate))),
        "slope": slope,
        "valid_auc": float(roc_auc_score(*valid)),
        "valid_logloss": float(log_loss(*valid)),
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "seconds": round(seconds, 2),
    }


def settings_of(variant: str) -> dict[str, Any]:
    """Join the changes of a variant to the base."""
    chosen = dict(BASE)
    for name in variant.split("+"):
        changes = VARIANTS[name]
        joined = {key: {**chosen[key], **changes.get(key, {})} for key in ("optimiser", "more")}
        chosen |= changes | joined
    return chosen


def platt(label: NDArray[np.float32], probability: NDArray[np.float64]) -> tuple[float, float]:
    """Fit slope and offset of the logits."""
    logits = logit(np.clip(probability, 1e-7, 1 - 1e-7))

    def loss(parameters: NDArray[np.float64]) -> float:
        scaled = parameters[0] * logits + parameters[1]
        return float(np.mean(np.logaddexp(0, scaled) - label * scaled))

    found = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(found[0]), float(found[1])


def _recipe(folder: Path, prepared: Path, chosen: Mapping[str, Any], seed: int) -> dict[str, Any]:
    kinds = json.loads((folder / "columns.json").read_text())
    rows = _num_rows(folder)
    common = {"seed": seed, "threads": 1, "baseline": False}
    data = {
        "name": "screened",
        "data": {
            "prepared": str(prepared),
            "files": {"folder": str(folder), **{split: f"{split}.parquet" for split in ("train", "valid", "test")}},
            "label": LABEL,
            "fields": [
                *(_field(name, kind, chosen) for name, kind in kinds.items()),
                *(_crosses(folder, kinds) if chosen["crosses"] else ()),
            ],
        },
    }
    if chosen["auto"]:
        return {**data, "version": 2, "model": {"kind": chosen["model"], **chosen["network"]}, "training": common}
    return {
        **data,
        "model": _model(chosen, num_fields=len(kinds)),
        "training": {
            **common,
            "batch_size": chosen["batch"] or batch_size(rows, chosen["steps"]),
            "optimiser": {
                "learning_rate": chosen["learning_rate"],
                "embedding_l2": chosen["l2"],
                **chosen["optimiser"],
            },
            "rate_drop": chosen["rate_drop"],
            "patience": chosen["patience"],
            "monitor": chosen["monitor"],
            "rare_as_unseen": {"share": chosen["rare"]},
            **chosen["more"],
        },
    }


def batch_size(rows: int, steps: int) -> int:
    """Choose the power of two nearest to a number of steps an epoch."""
    return max(16, min(4096, 2 ** round(math.log2(max(1, rows / steps)))))


def _num_rows(folder: Path) -> int:
    return int(pl.scan_parquet(folder / "train.parquet").select(pl.len()).collect().item())


def _field(name: str, kind: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "numeric":
        return {"column": name, **_NUMERIC[chosen["numeric"]]}
    if kind == "sequence":
        shared = name.removeprefix("history_")
        made = {"last": 1, "matches": shared} if chosen["history"] else {}
        return {"kind": "sequence", "column": name, "max_length": 30, "shares": shared, **made}
    return {"kind": "categorical", "column": name, "min_count": chosen["min_count"]}


def _crosses(folder: Path, kinds: Mapping[str, str]) -> list[dict[str, Any]]:
    """Cross the columns that a draft would: those that no history is matched with."""
    matched = {name.removeprefix("history_") for name, kind in kinds.items() if kind == "sequence"}
    train = pl.read_parquet(folder / "train.parquet")
    names = [name for name, kind in kinds.items() if kind == "categorical" and name not in matched]
    profiles = profile_table(train.select(names).cast(pl.String).to_arrow())
    found = find_crosses(profiles, train[LABEL].to_numpy() > 0)
    return [{"kind": "crossed", "column": cross.column, "other": cross.other} for cross in found]


def _model(chosen: Mapping[str, Any], *, num_fields: int) -> dict[str, Any]:
    dim, dropout = chosen["token_dim"], chosen["dropout"]
    std = {} if chosen["std"] is None else {"embedding_std": chosen["std"]}
    if chosen["model"] not in {"rankelastor", "rankmixer"}:
        sizes = {"hidden_dims": [8 * dim, 4 * dim], "dropout": dropout} if chosen["model"] in {"mlp", "deepfm"} else {}
        width = {} if chosen["model"] == "logistic_regression" else {"embedding_dim": chosen["embedding_dim"]}
        return {"kind": chosen["model"], **width, **sizes, **std}
    ffn = {"rankelastor": {"kind": "glu", "hidden_dims": [dim]}, "rankmixer": {"kind": "mlp", "hidden_dims": [8 * dim]}}
    return {
        "kind": chosen["model"],
        "embedding_dim": chosen["embedding_dim"],
        "num_tokens": max(2, min(chosen["num_tokens"], num_fields)),
        "token_dim": dim,
        "num_blocks": chosen["num_blocks"],
        "first_order": chosen["first_order"],
        "tokenizer": {"kind": "joint", "hidden_dims": [8 * dim], "dropout": dropout, **chosen["tokenizer"]},
        "ffn": {**ffn[chosen["model"]], "dropout": dropout},
        **std,
        **chosen["network"],
    }


@app.command("table")
def table(
    files: list[Path],
    base: Annotated[str, typer.Option(help="The variant with which the others are compared.")] = "base",
) -> None:
    """Print AUC, logloss and calibrated logloss of each variant, less those of the base on the same log and seed."""
    rows = [row for file in files for row in _rows(file)]
    bases = {(row["log"], row["seed"]): row for row in rows if row["variant"] == base}
    logs = list(dict.fromkeys(log for log, _ in bases))
    for metric, sign in (("auc", 1), ("logloss", -1), ("calibrated", -1)):
        name = {"auc": "AUC", "logloss": "logloss", "calibrated": "logloss, calibrated"}[metric]
        typer.echo(f"\n{name}, x 1000\n\n| variant | {' | '.join(logs)} | mean | better | s |")
        typer.echo("| --- |" + " ---: |" * (len(logs) + 3))
        for variant in dict.fromkeys(row["variant"] for row in rows):
            typer.echo(_line(variant, [row for row in rows if row["variant"] == variant], bases, logs, metric, sign))


def _line(  # noqa: PLR0917
    variant: str,
    rows: list[dict[str, Any]],
    bases: Mapping[tuple[str, int], Mapping[str, Any]],
    logs: list[str],
    metric: str,
    sign: int,
) -> str:
    """Write the mean differences by log (of the base: its values), their mean, and on how many logs it is better."""
    cells, means = [], []
    for log in logs:
        paired = [
            (row[metric], bases[log, row["seed"]][metric])
            for row in rows
            if (log, row["seed"]) in bases and row["log"] == log
        ]
        if not paired:
            cells.append("")
            continue
        is_base = (
            all(one == other for one, other in paired) and rows[0]["variant"] == next(iter(bases.values()))["variant"]
        )
        means.append(statistics.fmean(one if is_base else one - other for one, other in paired))
        cells.append(f"{1000 * means[-1]:.1f}" if is_base else f"{1000 * means[-1]:+.1f}")
    mean = statistics.fmean(means) if means else math.nan
    better = sum(sign * each > 0 for each in means)
    seconds = statistics.fmean(row["seconds"] for row in rows)
    return f"| {variant} | {' | '.join(cells)} | {1000 * mean:+.1f} | {better} of {len(means)} | {seconds:.1f} |"


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


if __name__ == "__main__":
    app()
