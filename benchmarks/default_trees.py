"""Train CatBoost and LightGBM on the cut logs of default_logs.py, in an environment of its own.

    python3.11 -m venv trees-env && trees-env/bin/pip install -r benchmarks/trees-requirements.txt
    trees-env/bin/python benchmarks/default_trees.py default-logs defaults.jsonl
    trees-env/bin/python benchmarks/default_trees.py default-logs practitioner.jsonl "lightgbm, 8 trials"

Every cut in the folder that the file does not have yet is trained on: with the defaults, or with the best on valid of
eight draws; early stopping on valid, figures on test. Of a list column the trees take the last element and the length.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier, early_stopping
from sklearn.metrics import log_loss, roc_auc_score

LABEL = "label"
TRIALS = 8
Probabilities = dict[str, np.ndarray[Any, Any]]
Fit = Callable[..., Probabilities]


def main(cuts: Path, output: Path, variants: list[str]) -> None:
    """Train these variants on every cut."""
    done = {(row["log"], row["variant"], row["seed"]) for row in map(json.loads, _lines(output))}
    for folder in sorted(cuts.iterdir()):
        if not (folder / "columns.json").is_file():
            continue
        log, _, seed = folder.name.rpartition("-")
        log = log.replace("-", ":")
        for variant in variants:
            if (log, variant, int(seed)) in done:
                continue
            row = {"log": log, "variant": variant, "seed": int(seed), **_measure(folder, FITS[variant])}
            with output.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{log:10} {variant:10} {seed} AUC {row['auc']:.4f} logloss {row['logloss']:.4f}", flush=True)  # noqa: T201


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.is_file() else []


def _measure(folder: Path, fit: Fit) -> dict[str, Any]:
    kinds = json.loads((folder / "columns.json").read_text())
    splits = {split: pl.read_parquet(folder / f"{split}.parquet") for split in ("train", "valid", "test")}
    frames = {split: _features(frame, kinds) for split, frame in splits.items()}
    labels = {split: frame[LABEL].to_numpy() for split, frame in splits.items()}
    categories = [name for name in frames["train"].columns if frames["train"][name].dtype == pl.String]
    began = time.perf_counter()
    probability = fit(frames, labels, categories)["test"]
    rate = labels["train"].mean()
    return {
        "auc": float(roc_auc_score(labels["test"], probability)),
        "logloss": float(log_loss(labels["test"], probability)),
        "calibrated": float(log_loss(labels["test"], probability)),
        "constant": float(log_loss(labels["test"], np.full(len(probability), rate))),
        "seconds": round(time.perf_counter() - began, 2),
    }


def _features(frame: pl.DataFrame, kinds: dict[str, str]) -> pl.DataFrame:
    columns = []
    for name, kind in kinds.items():
        if kind == "sequence":
            columns += [
                pl.col(name).list.last().cast(pl.String).fill_null("").alias(f"{name}_last"),
                pl.col(name).list.len().cast(pl.Float64).alias(f"{name}_length"),
            ]
        elif kind == "categorical":
            columns.append(pl.col(name).cast(pl.String).fill_null(""))
        else:
            columns.append(pl.col(name).cast(pl.Float64))
    return frame.select(columns)


def _catboost(frames: Any, labels: Any, categories: list[str], **settings: Any) -> Probabilities:
    data = {split: frame.to_pandas() for split, frame in frames.items()}
    model = CatBoostClassifier(thread_count=1, random_seed=1, verbose=False, allow_writing_files=False, **settings)
    model.fit(data["train"], labels["train"], cat_features=categories, eval_set=(data["valid"], labels["valid"]))
    return {split: model.predict_proba(data[split])[:, 1] for split in ("valid", "test")}


def _lightgbm(frames: Any, labels: Any, categories: list[str], **settings: Any) -> Probabilities:
    values = {name: frames["train"][name].unique().sort() for name in categories}
    data = {}
    for split, frame in frames.items():
        coded = frame.with_columns(
            pl.col(name).replace_strict(values[name], range(len(values[name])), default=None, return_dtype=pl.Int32)
            for name in categories
        )
        data[split] = coded.to_pandas().astype(dict.fromkeys(categories, "category"))
    for name in categories:  # the same codes in every split
        known = data["train"][name].cat.categories
        data |= {split: each.assign(**{name: each[name].cat.set_categories(known)}) for split, each in data.items()}
    model = LGBMClassifier(n_jobs=1, random_state=1, verbose=-1, **settings)
    evaluated = [(data["valid"], labels["valid"])]
    model.fit(data["train"], labels["train"], eval_set=evaluated, callbacks=[early_stopping(20, verbose=False)])
    return {split: model.predict_proba(data[split])[:, 1] for split in ("valid", "test")}


def _best_of(fit: Fit, draw: Callable[[np.random.Generator], dict[str, Any]]) -> Fit:
    """Fit with the defaults and other settings; keep what has the best AUC on valid."""

    def tuned(frames: Any, labels: Any, categories: list[str]) -> Probabilities:
        generator = np.random.default_rng(1)
        trials = [{}, *(draw(generator) for _ in range(TRIALS - 1))]
        found = [fit(frames, labels, categories, **settings) for settings in trials]
        return max(found, key=lambda each: roc_auc_score(labels["valid"], each["valid"]))

    return tuned


def _draw_for_lightgbm(generator: np.random.Generator) -> dict[str, Any]:
    return {
        "learning_rate": float(np.exp(generator.uniform(np.log(0.01), np.log(0.2)))),
        "n_estimators": 1000,
        "num_leaves": int(generator.integers(7, 128)),
        "min_child_samples": int(generator.integers(5, 100)),
        "colsample_bytree": float(generator.uniform(0.4, 1)),
        "reg_lambda": float(np.exp(generator.uniform(np.log(1e-2), np.log(30)))),
        "cat_smooth": float(np.exp(generator.uniform(np.log(1), np.log(100)))),
    }


def _draw_for_catboost(generator: np.random.Generator) -> dict[str, Any]:
    return {
        "learning_rate": float(np.exp(generator.uniform(np.log(0.02), np.log(0.2)))),
        "depth": int(generator.integers(4, 9)),
        "l2_leaf_reg": float(np.exp(generator.uniform(0, np.log(30)))),
        "random_strength": float(generator.uniform(0.5, 4)),
    }


FITS: dict[str, Fit] = {
    "catboost": _catboost,
    "lightgbm": _lightgbm,
    f"catboost, {TRIALS} trials": _best_of(_catboost, _draw_for_catboost),
    f"lightgbm, {TRIALS} trials": _best_of(_lightgbm, _draw_for_lightgbm),
}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or ["catboost", "lightgbm"])
