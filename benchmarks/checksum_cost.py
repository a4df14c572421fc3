"""Measure what checksums cost: of shards against an epoch of training, of weights and vocabularies by their size.

All times are those of one processor, which other work changes little. The log is like Criteo's.

    python benchmarks/checksum_cost.py --rows 200000
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from criteo_like import CATEGORICAL, LABEL, NUMERIC, write_criteo_like

from rankelastor.checksums import Checksum, find_damage
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.recipes.load import recipe_from_values
from rankelastor.runs.weights import check_weights
from rankelastor.training.observers import Evaluation, SilentObserver
from rankelastor.training.run import train

MODELS: dict[str, dict[str, Any]] = {
    "logistic_regression": {"kind": "logistic_regression"},
    "mlp": {"kind": "mlp", "embedding_dim": 16, "hidden_dims": [64]},
    "rankelastor": {
        "kind": "rankelastor",
        "embedding_dim": 16,
        "num_tokens": 8,
        "token_dim": 16,
        "num_blocks": 2,
        "tokenizer": {"kind": "joint"},
        "ffn": {"kind": "glu", "hidden_dims": [32]},
    },
}


class FirstEpoch(SilentObserver):
    """Measures the processor time from the first step to the evaluation."""

    def __init__(self) -> None:
        self._began = self.seconds = 0.0

    def on_epoch_start(self, epoch: int) -> None:
        """Begin to measure."""
        del epoch
        self._began = time.process_time()

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Note the time until now."""
        del evaluation
        self.seconds = time.process_time() - self._began


def settings(folder: Path, model: dict[str, Any]) -> dict[str, Any]:
    """Make the settings of one epoch."""
    return {
        "name": "cost",
        "data": {
            "prepared": str(folder / "prepared"),
            "files": {"folder": str(folder), "all": "log.csv"},
            "split": {"kind": "file_order", "valid": 0.01},
            "label": LABEL,
            "fields": [
                {"kind": "categorical", "column": list(CATEGORICAL)},
                {"kind": "numeric", "column": list(NUMERIC), "transform": "log"},
            ],
        },
        "model": model,
        "training": {"epochs": 1, "batch_size": 4096, "baseline": False, "threads": 1, "device": "cpu"},
    }


def seconds_of(dataset: PreparedDataset, beginning: str) -> tuple[float, float]:
    """Read the files of a prepared folder for their checksums; return seconds and megabytes."""
    assert dataset.manifest.checksums is not None, "it was prepared now"
    chosen = {name: each for name, each in dataset.manifest.checksums.items() if name.startswith(beginning)}
    began = time.process_time()
    for name, each in chosen.items():
        assert find_damage(dataset.folder / name, Checksum(each.num_bytes, each.sha256)) is None
    return time.process_time() - began, sum(each.num_bytes for each in chosen.values()) / 1e6


def measure(folder: Path, num_rows: int) -> list[str]:
    """Measure and describe all costs."""
    write_criteo_like(folder / "log.csv", num_rows=num_rows, num_distinct=20 * num_rows)
    dataset = prepare(recipe_from_values(settings(folder, MODELS["mlp"])).data)
    shards, size = seconds_of(dataset, "train/")
    lines = [f"shards of train: {shards:.3f} s for {size:.0f} MB"]
    seconds, size = seconds_of(dataset, "vocabulary/")
    lines.append(f"vocabularies: {100 * seconds / size:.3f} s per 100 MB ({size:.0f} MB)")
    for name, model in MODELS.items():
        epoch = FirstEpoch()
        run = train(recipe_from_values(settings(folder, model)), folder=folder / name, observers=[epoch])
        lines.append(f"{name}: epoch of {epoch.seconds:.1f} s, shards {100 * shards / epoch.seconds:.2f} % of it")
    weights = run.folder / "checkpoints" / "best.safetensors"
    began = time.process_time()
    check_weights(weights)
    seconds, size = time.process_time() - began, weights.stat().st_size / 1e6
    return [*lines, f"weights: {100 * seconds / size:.3f} s per 100 MB ({size:.0f} MB)"]


def main() -> None:
    """Measure on a log of the given size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the log")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        sys.stdout.write("\n".join(measure(Path(folder), arguments.rows)) + "\n")


if __name__ == "__main__":
    main()
