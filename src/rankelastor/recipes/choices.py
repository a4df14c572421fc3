"""Choose settings that a recipe leaves out, by the number of rows, features and ids.

This is a pure function of the facts: two data sets with the same facts get the same settings. Each rule has its
evidence in docs/results.md; benchmarks/defaults.py repeats it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rankelastor.recipes.facts import TYPICAL, Facts

STEPS_PER_EPOCH = 100
_BATCHES = (32, 4096)
_FEW_ROWS = 20_000
_SMALL_ROWS = 1_000_000
_MANY_ROWS = 10_000_000
_SIZES = ((20_000, 8, 8, 8, 1), (500_000, 10, 8, 16, 1), (_MANY_ROWS, 16, 12, 24, 2))
_LARGEST = (16, 16, 32, 2)
_REGULARISATION = ((_SMALL_ROWS, 1e-2), (_MANY_ROWS, 1e-4))
_WEAKEST = 1e-5


@dataclass(frozen=True)
class Choice:
    """A chosen setting: its path, its value as in YAML, and the reason in words without a full stop."""

    path: str
    value: Any
    reason: str


def choose(facts: Facts, model_kind: str) -> tuple[Choice, ...]:
    """Choose every setting that has a rule, for a model of this kind.

    Example:
        >>> chosen = {choice.path: choice.value for choice in choose(Facts(9_000, 6, 2_000), "rankelastor")}
        >>> chosen["training.batch_size"], chosen["model.num_tokens"]
        (64, 6)
    """
    return (*_training(facts), *_model(facts, model_kind))


def chosen_keys(model_kind: str) -> frozenset[str]:
    """Name the settings of a model that have a rule of its own; none for a model without rules.

    Example:
        >>> sorted(chosen_keys("mlp")), sorted(chosen_keys("finalmlp"))
        (['dropout', 'hidden_dims'], [])
    """
    if model_kind not in _OF_MODELS:
        return frozenset()
    return frozenset(choice.path.rpartition(".")[2] for choice in _OF_MODELS[model_kind](TYPICAL))


def steps_per_epoch(facts: Facts, batch_size: int) -> int:
    """Compute the number of steps of an epoch."""
    return -(-facts.num_rows // batch_size)


def batch_size(num_rows: int) -> int:
    """Choose the power of two nearest to a hundred steps an epoch, never fewer than 50 of them where rows allow it.

    Example:
        >>> [batch_size(rows) for rows in (100, 1_000, 9_000, 33_000_000)]
        [32, 32, 64, 4096]
    """
    least, most = _BATCHES
    wanted = max(1, num_rows // STEPS_PER_EPOCH)
    return max(least, min(most, 1 << (wanted.bit_length() - 1)))


def _training(facts: Facts) -> list[Choice]:
    size = batch_size(facts.num_rows)
    steps = steps_per_epoch(facts, size)
    l2 = next((strength for rows, strength in _REGULARISATION if facts.num_rows <= rows), _WEAKEST)
    rows = f"{facts.num_rows:,} train rows"
    return [
        Choice("training.batch_size", size, f"{steps:,} steps an epoch of {rows}"),
        Choice("training.optimiser.learning_rate", 1e-3, "Adam's usual rate; benchmarks found none that is better"),
        Choice("training.optimiser.embedding_l2", l2, f"{rows}: fewer rows hold the embeddings back more"),
        Choice("training.stopping.rate_drop", 0.5, "small valid splits are noisy, so that the rate falls slowly"),
        Choice("training.stopping.patience", 4, "small valid splits are noisy, so that training waits longer"),
        Choice(
            "training.calibration", {"kind": "auto"}, "kept only where it lowers the logloss of held-out rows of valid"
        ),
        Choice("training.stopping.monitor", "logloss", "the AUC still rises when weights become over-confident"),
    ]


def _model(facts: Facts, kind: str) -> list[Choice]:
    common = [Choice("model.embedding_std", 1e-2, "ids begin closer to the numbers beside them")]
    if kind != "logistic_regression":  # its rows have one weight
        common.append(Choice("model.embedding_dim", _sizes(facts)[0], f"{facts.num_rows:,} train rows"))
    return [*common, *_OF_MODELS[kind](facts)] if kind in _OF_MODELS else common


def _sizes(facts: Facts) -> tuple[int, ...]:
    return next((tuple(sizes) for most, *sizes in _SIZES if facts.num_rows <= most), _LARGEST)


def _dropout(facts: Facts) -> float:
    return 0.2 if facts.num_rows <= _FEW_ROWS else 0.1


def _rankelastor(facts: Facts) -> list[Choice]:
    token_dim = _sizes(facts)[2]
    return _mixer(facts, {"kind": "glu", "hidden_dims": [token_dim], "dropout": _dropout(facts)})


def _rankmixer(facts: Facts) -> list[Choice]:
    token_dim = _sizes(facts)[2]
    return _mixer(facts, {"kind": "mlp", "hidden_dims": [8 * token_dim], "dropout": _dropout(facts)})


def _mixer(facts: Facts, ffn: dict[str, Any]) -> list[Choice]:
    _, num_tokens, token_dim, num_blocks = _sizes(facts)
    num_tokens = max(2, min(num_tokens, facts.num_features))
    rows = f"{facts.num_rows:,} train rows"
    tokenizer = {"kind": "joint", "hidden_dims": [8 * token_dim], "dropout": _dropout(facts)}
    return [
        Choice("model.num_tokens", num_tokens, f"{rows}, and no more than {facts.num_features} features"),
        Choice("model.token_dim", token_dim, rows),
        Choice("model.num_blocks", num_blocks, f"{rows}: more blocks need more of them"),
        Choice("model.tokenizer", tokenizer, "any number of features becomes any number of tokens"),
        Choice("model.ffn", ffn, f"{rows}: fewer rows need more dropout"),
    ]


def _deep(facts: Facts) -> list[Choice]:
    width = 8 * _sizes(facts)[2]
    rows = f"{facts.num_rows:,} train rows"
    return [
        Choice("model.hidden_dims", [width, width // 2], rows),
        Choice("model.dropout", _dropout(facts), f"{rows}: fewer rows need more dropout"),
    ]


_OF_MODELS: dict[str, Callable[[Facts], list[Choice]]] = {
    "rankelastor": _rankelastor,
    "rankmixer": _rankmixer,
    "mlp": _deep,
    "deepfm": _deep,
}
"""Sizes by model; a model that is not here must have its sizes in the recipe."""
