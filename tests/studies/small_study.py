"""A study that runs in seconds: two tiny mixers on a planted log."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from rankelastor.studies.work.lines import RunLine
from rankelastor.studies.work.run_study import SilentListener

_MIXER = {
    "kind": "rankelastor",
    "embedding_dim": 4,
    "num_tokens": 2,
    "token_dim": 4,
    "num_blocks": 1,
    "tokenizer": {"kind": "joint", "hidden_dims": [8]},
    "ffn": {"kind": "glu", "hidden_dims": [4]},
    "head": {"kind": "linear"},
}
_STUDY: dict[str, Any] = {
    "name": "small",
    "recipes": {
        "elastor": {"model": _MIXER},
        "mixer": {
            "like": "elastor",
            "changes": {"model.kind": "rankmixer", "model.mixing": {"kind": "split"},
                        "model.ffn": {"kind": "mlp", "hidden_dims": [4]}},
        },
    },
    "log": {"num_fields": 4, "vocabulary": 8, "num_interactions": 3, "train_rows": 2000, "valid_rows": 500,
            "test_rows": 500},
    "changes": {"training.epochs": 1, "training.batch_size": 256, "training.learning_rate": 0.01,
                "training.baseline": False, "training.threads": 1},
    "axes": {"order": {"setting": "log.order", "values": [2, 3]}},
    "seeds": 2,
    "rank_examples": 100,
}  # fmt: skip


def small_study(**changes: Any) -> dict[str, Any]:
    """Make the settings of the study, with some of them replaced; None removes one."""
    values = {**copy.deepcopy(_STUDY), **changes}
    return {name: value for name, value in values.items() if value is not None}


def made_line(recipe: str, seed: int, auc: float, *, study: str = "small", **more: Any) -> RunLine:
    """Make a finished line without a training."""
    point = {"recipe": recipe, **more.pop("point", {})}
    key = "/".join([recipe, *(f"{axis}={label}" for axis, label in point.items() if axis != "recipe"), f"seed={seed}"])
    metrics = {"test": {"auc": auc, "logloss": more.pop("logloss", 1 - auc)}}
    values: dict[str, Any] = {"metrics": metrics, "cost": {"dense_parameters": 100, "flops_per_example": 200}, **more}
    return RunLine(study, key, point, seed, "finished", **values)


class Heard(SilentListener):
    """A listener that remembers."""

    def __init__(self) -> None:
        self.lines: list[RunLine] = []

    def on_run(self, line: RunLine, *, done: int, total: int, seconds_left: float | None) -> None:
        del done, total, seconds_left
        self.lines.append(line)


def write_yaml(path: Path, values: dict[str, Any]) -> Path:
    """Write settings as YAML."""
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path
