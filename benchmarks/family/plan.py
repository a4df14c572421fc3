"""The trainings that the tables need: models, draws of settings, seeds."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FRAPPE = Path("recipes/private/frappe")
HISTORY = Path("recipes/private/ml1m_history")
SEEDS = (1, 2, 3)
NUM_DRAWS = 4

Space = Mapping[str, Sequence[Any]]

_TRAINING: Space = {
    "training.learning_rate": [1e-3, 2e-3],
    "training.embedding_l2": [0.02, 0.05, 0.1],
    "training.batch_size": [2048, 4096],
}
_DEEP: Space = {
    "model.hidden_dims": [[200, 200], [400, 400], [400, 400, 400]],
    "model.dropout": [0.2, 0.3, 0.4],
    "model.batch_norm": [False, True],
}
_MIXER: Space = {
    "model.num_blocks": [1, 2],
    "model.tokenizer.hidden_dims": [[200], [400]],
    "model.tokenizer.dropout": [0.1, 0.3],
    "model.ffn.dropout": [0.2, 0.4],
}
_BLOCK: Space = {"hidden_dims": [[200], [400], [400, 400]], "dropout": [0.1, 0.2, 0.3]}
TUNED: dict[str, Space] = {
    "rankelastor": {**_TRAINING, **_MIXER, "model.ffn.hidden_dims": [[10], [20], [10, 10]]},
    "rankmixer": {**_TRAINING, **_MIXER, "model.ffn.hidden_dims": [[123], [200], [100, 100]]},
    "dcn_v2": {
        **_TRAINING, **_DEEP,
        "model.structure": ["stacked", "parallel"],
        "model.num_cross_layers": [2, 3],
    },
    "autoint": {
        **_TRAINING, **_DEEP,
        "model.num_attention_layers": [2, 3],
        "model.attention_dim": [40, 64],
    },
    "xdeepfm": {**_TRAINING, **_DEEP, "model.cin_dims": [[32, 32], [50], [16, 16]]},
    "finalmlp": {
        **_TRAINING,
        "model.stream1.hidden_dims": [[200, 200], [400], [400, 400]],
        "model.stream1.dropout": [0.3, 0.4],
        "model.stream1.batch_norm": [True],
        "model.stream2.dropout": [0.3, 0.4],
        "model.stream2.batch_norm": [True],
        "model.gate_dims": [None, [400], [800]],
        "model.num_heads": [2, 5],
    },
    "finalnet": {
        **_TRAINING,
        **{f"model.block{number}.{key}": values for number in (1, 2) for key, values in _BLOCK.items()},
    },
    "tokenmixer_large": {
        **_TRAINING,
        "model.num_blocks": [2, 3],
        "model.head_hidden_dim": [28, 55],
        "model.token_hidden_dim": [40, 80],
        "model.down_scale": [0.01, 0.1],
        "model.tokenizer.norm": [True],
    },
    "mlp": {**_TRAINING, **_DEEP},
    "logistic_regression": {
        "training.learning_rate": [2e-3, 1e-2],
        "training.embedding_l2": [0.0, 1e-4, 1e-3, 1e-2],
        "training.batch_size": [2048, 4096],
    },
}  # fmt: skip
"""The models that are tuned on Frappe, with what may be drawn; a draw is the same for every run of this script."""

HISTORY_MODELS = ("rankelastor", "rankelastor_target_attention", "dcn_v2", "dcn_v2_target_attention", "mlp", "din")
SHARINGS: dict[str, dict[str, Any] | None] = {
    "one network": None,
    "shared_bottom": {"kind": "shared_bottom", "width": 64, "tower_dims": [32]},
    "mmoe": {"kind": "mmoe", "width": 64, "num_experts": 4, "tower_dims": [32]},
    "ple": {"kind": "ple", "width": 64, "num_shared_experts": 2, "num_task_experts": 1, "tower_dims": [32]},
    "esmm": {"kind": "esmm", "after": {"buy": "click"}},
}


@dataclass(frozen=True)
class Job:
    """One training: its study, its model, its draw of settings, its seed, and changes to the recipe."""

    study: str
    model: str
    draw: int
    seed: int
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name of the job, by which a later call knows that it is done."""
        return f"{self.study}/{self.model}/{self.draw}/{self.seed}"

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values."""
        return asdict(self)


def draw_of(model: str, draw: int) -> dict[str, Any]:
    """Draw settings of a model; draw 0 is the recipe as it stands."""
    if draw == 0:
        return {}
    changes = {}
    for path, values in TUNED[model].items():
        common = path.startswith("training.") and model != "logistic_regression"
        chosen = random.Random(f"{draw}/{path}" if common else f"{model}/{draw}/{path}")  # noqa: S311 - no secret
        changes[path] = chosen.choice(values)
    return changes


def first_jobs(studies: Iterable[str]) -> Iterator[Job]:
    """List the trainings that depend on no other, those that take long first."""
    chosen = set(studies)
    if "history" in chosen:
        yield from (Job("history", model, 0, seed) for seed in SEEDS for model in HISTORY_MODELS)
    if "frappe" in chosen:
        for draw in range(NUM_DRAWS):
            yield from (Job("frappe", model, draw, SEEDS[0], draw_of(model, draw)) for model in TUNED)
    if "shared" in chosen:
        left_out = {*TUNED, "data", "rankmixer_paper_experts"}  # the last takes ten times as long as the others
        rest = sorted(path.stem for path in FRAPPE.glob("*.yaml") if path.stem not in left_out)
        yield from (Job("shared", model, 0, SEEDS[0]) for model in rest)
    if "published" in chosen:
        share = {"training.rare_as_unseen.share": 0}
        for form in ("ours", "manner"):
            yield from (
                Job("published", f"{model}, {form}", 0, seed, share)
                for seed in SEEDS
                for model in ("rankelastor", "rankmixer")
            )
    if "tasks" in chosen:
        yield from (Job("tasks", name, 0, seed) for seed in SEEDS for name in SHARINGS)
    if "trees" in chosen:
        yield from (Job("trees", "lightgbm", draw, SEEDS[0]) for draw in range(NUM_DRAWS))
        yield from (Job("trees", "one-hot logistic regression", draw, SEEDS[0]) for draw in range(NUM_DRAWS))


def more_seeds(results: Sequence[Mapping[str, Any]]) -> Iterator[Job]:
    """List the further seeds of the best draw of each model, by the AUC of valid."""
    for model, draw in best_draws(results, "frappe").items():
        yield from (Job("frappe", model, draw, seed, draw_of(model, draw)) for seed in SEEDS[1:])
    for draw in [draw for model, draw in best_draws(results, "trees").items() if model == "lightgbm"]:
        yield from (Job("trees", "lightgbm", draw, seed) for seed in SEEDS[1:])


def best_draws(results: Sequence[Mapping[str, Any]], study: str) -> dict[str, int]:
    """Find for each model the draw with the largest AUC of valid at the first seed."""
    found: dict[str, dict[int, float]] = {}
    for line in results:
        if line["study"] == study and line["seed"] == SEEDS[0]:
            found.setdefault(line["model"], {})[line["draw"]] = line["valid"]["auc"]
    return {model: max(aucs, key=aucs.__getitem__) for model, aucs in found.items()}
