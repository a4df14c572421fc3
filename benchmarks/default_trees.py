"""Train CatBoost and LightGBM with their defaults on the cut logs of default_logs.py, in an environment of its own.

    python3.11 -m venv trees-env && trees-env/bin/pip install -r benchmarks/trees-requirements.txt
    trees-env/bin/python benchmarks/default_trees.py default-logs defaults.jsonl

Every cut in the folder that the file does not have yet is trained on: early stopping on valid, figures on test. Of a
list column the trees take the last element and the length.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier, early_stopping
from sklearn.metrics import log_loss, roc_auc_score

LABEL = "label"


def main(cuts: Path, output: Path) -> None:
    """Train on every cut."""
    done = {(row["log"], row["variant"], row["seed"]) for row in map(json.loads, _lines(output))}
    for folder in sorted(cuts.iterdir()):
        if not (folder / "columns.json").is_file():
            continue
        log, _, seed = folder.name.rpartition("-")
        log = log.replace("-", ":")
        for variant, fit in (("catboost", _catboost), ("lightgbm", _lightgbm)):
            if (log, variant, int(seed)) in done:
                continue
            row = {"log": log, "variant": variant, "seed": int(seed), **_measure(folder, fit)}
            with output.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{log:10} {variant:10} {seed} AUC {row['auc']:.4f} logloss {row['logloss']:.4f}", flush=True)  # noqa: T201


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.is_file() else []


def _measure(folder: Path, fit: Any) -> dict[str, Any]:
    kinds = json.loads((folder / "columns.json").read_text())
    splits = {split: pl.read_parquet(folder / f"{split}.parquet") for split in ("train", "valid", "test")}
    frames = {split: _features(frame, kinds) for split, frame in splits.items()}
    labels = {split: frame[LABEL].to_numpy() for split, frame in splits.items()}
    categories = [name for name in frames["train"].columns if frames["train"][name].dtype == pl.String]
    began = time.perf_counter()
    probability = fit(frames, labels, categories)
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


def _catboost(frames: Any, labels: Any, categories: list[str]) -> np.ndarray[Any, Any]:
    data = {split: frame.to_pandas() for split, frame in frames.items()}
    model = CatBoostClassifier(thread_count=1, random_seed=1, verbose=False, allow_writing_files=False)
    model.fit(data["train"], labels["train"], cat_features=categories, eval_set=(data["valid"], labels["valid"]))
    probability: np.ndarray[Any, Any] = model.predict_proba(data["test"])[:, 1]
    return probability


def _lightgbm(frames: Any, labels: Any, categories: list[str]) -> np.ndarray[Any, Any]:
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
    model = LGBMClassifier(n_jobs=1, random_state=1, verbose=-1)
    evaluated = [(data["valid"], labels["valid"])]
    model.fit(data["train"], labels["train"], eval_set=evaluated, callbacks=[early_stopping(20, verbose=False)])
    probability: np.ndarray[Any, Any] = model.predict_proba(data["test"])[:, 1]
    return probability


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
