"""Choose settings that a recipe leaves out, by the number of rows, features and ids.

This is a pure function of the facts: two data sets with the same facts get the same settings. Each rule has its
evidence in docs/results.md; benchmarks/defaults.py repeats it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rankelastor.recipes.facts import TYPICAL, Facts

_STEPS = 75
_BATCHES = (16, 4096)
_FEW_ROWS = 20_000
_LONG_EPOCH = 1_000_000
_LONGER_EPOCH = 10_000_000
_SIZES = ((20_000, 8, 8, 8, 1), (500_000, 10, 8, 16, 1), (_LONGER_EPOCH, 16, 12, 24, 2))
_LARGEST = (16, 16, 32, 2)
_REGULARISATION = ((250_000, 5e-2), (1_000_000, 1e-2), (10_000_000, 1e-4))
_WEAKEST = 1e-5
_FEW_OF_A_LABEL = 50
_TINY_ROWS = 5_000
_MOST_FOR_RATES = 250_000
_BESIDE_RATES = 1e-1
_DECAY = 0.99


@dataclass(frozen=True)
class Choice:
    """A chosen setting: its path, its value as in YAML, and the reason in words without a full stop."""

    path: str
    value: Any
    reason: str


def choose(facts: Facts, model_kind: str) -> tuple[Choice, ...]:
    """Choose every setting that has a rule, for a model of this kind.

    Example:
        >>> chosen = {choice.path: choice.value for choice in choose(Facts(9_000, 6, 2_000, 300), "rankelastor")}
        >>> chosen["training.batch_size"], chosen["model.num_tokens"]
        (128, 6)
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
    """Choose the power of two that gives about 75 steps an epoch: more than 50 in any case, where rows allow it.

    Example:
        >>> [batch_size(rows) for rows in (100, 1_000, 9_000, 33_000_000)]
        [16, 16, 128, 4096]
    """
    least, most = _BATCHES
    return max(least, min(most, 1 << round(math.log2(max(1.0, num_rows / _STEPS)))))


def _training(facts: Facts) -> list[Choice]:
    size = batch_size(facts.num_rows)
    steps = steps_per_epoch(facts, size)
    rows = f"{facts.num_rows:,} train rows"
    return [
        Choice("training.batch_size", size, f"{steps:,} steps an epoch of {rows}"),
        Choice("training.optimiser.learning_rate", *_learning_rate(facts)),
        Choice("training.optimiser.embedding_l2", *_embedding_l2(facts)),
        Choice("training.stopping.rate_drop", *_rate_drop(facts)),
        Choice("training.stopping.patience", *_patience(facts)),
        Choice("training.stopping.monitor", *_monitor(facts)),
        Choice("training.evaluate_every", *_evaluate_every(facts)),
        *_output_bias(facts),
        *_averaged_weights(facts),
        Choice(
            "training.calibration", {"kind": "auto"}, "kept only where it lowers the logloss of held-out rows of valid"
        ),
    ]


def _has_few_labels(facts: Facts) -> bool:
    """Tell whether valid is too small for a calibration of more than an offset."""
    return facts.num_fewer_valid < _FEW_OF_A_LABEL


def _is_tiny(facts: Facts) -> bool:
    """Tell whether the first epoch may already be too long, and no calibration mends that."""
    return _has_few_labels(facts) and facts.num_rows < _TINY_ROWS


def _tiny(facts: Facts) -> str:
    return f"{facts.num_rows:,} train rows, and {_few_labels(facts)}"


def _few_labels(facts: Facts) -> str:
    return f"valid has {facts.num_fewer_valid:,} rows of a label, too few to calibrate or to rank by"


def _patience(facts: Facts) -> tuple[int, str]:
    if _is_tiny(facts):
        return 8, "two epochs of four evaluations each"
    if _has_value_rates(facts):
        return 15, "beside value rates interactions are learned late"
    return 4, "small valid splits are noisy, so that training waits longer"


def _rate_drop(facts: Facts) -> tuple[float, str]:
    if _has_value_rates(facts):
        return 1.0, "beside value rates interactions are learned late, and a rate that has fallen would not learn them"
    return 0.5, "small valid splits are noisy, so that the rate falls slowly"


def _output_bias(facts: Facts) -> list[Choice]:
    if not _is_tiny(facts):
        return []
    return [Choice("training.output_bias", "base_rate", f"{_tiny(facts)}: training begins at the label rate")]


def _learning_rate(facts: Facts) -> tuple[float, str]:
    if _is_tiny(facts):
        return 5e-4, f"{_tiny(facts)}: training must not be over-confident after its first steps"
    if facts.num_rows <= _LONG_EPOCH:
        return 2e-3, "the best of four on small logs"
    return 1e-3, "the rate of the published figures on large logs"


def _monitor(facts: Facts) -> tuple[str, str]:
    if _has_few_labels(facts):
        return "logloss", _few_labels(facts)
    return "auc", "the AUC rises longer than the logloss falls; calibration mends over-confident probabilities"


def _evaluate_every(facts: Facts) -> tuple[float | None, str]:
    if _is_tiny(facts):
        return 0.25, f"{_tiny(facts)}: the first epoch may already be too long"
    rows = f"an epoch has {facts.num_rows:,} rows"
    if facts.num_rows > _LONGER_EPOCH:
        return 0.1, f"{rows}, too many to wait for its end"
    if facts.num_rows > _LONG_EPOCH:
        return 0.25, f"{rows}, too many to wait for its end"
    return None, f"{rows}, so that its end comes soon"


def _model(facts: Facts, kind: str) -> list[Choice]:
    if kind == "logistic_regression":  # its rows have one weight
        return []
    width = Choice("model.embedding_dim", _sizes(facts)[0], f"{facts.num_rows:,} train rows")
    rates = Choice("model.value_rates", *_value_rates(facts))
    return [width, rates, *(_OF_MODELS[kind](facts) if kind in _OF_MODELS else ())]


def _has_value_rates(facts: Facts) -> bool:
    return facts.num_rows <= _MOST_FOR_RATES and not _has_few_labels(facts)


def _value_rates(facts: Facts) -> tuple[bool, str]:
    rows = f"{facts.num_rows:,} train rows"
    if _has_few_labels(facts):
        return False, f"{_few_labels(facts)}: the rates of values are chance"
    if facts.num_rows > _MOST_FOR_RATES:
        return False, f"{rows}: embeddings learn the label rates of their values"
    return True, f"{rows}: embeddings that few rows hold back do not learn the label rates of their values"


def _first_order(facts: Facts) -> tuple[bool, str]:
    if _has_value_rates(facts):
        return False, "value rates hold what single values explain"
    return True, "single values explain most of a small log"


def _embedding_l2(facts: Facts) -> tuple[float, str]:
    if _has_value_rates(facts):
        return _BESIDE_RATES, "value rates hold what single values explain, so that embeddings need to learn less"
    strength = next((strength for most, strength in _REGULARISATION if facts.num_rows <= most), _WEAKEST)
    return strength, f"{facts.num_rows:,} train rows: fewer rows hold the embeddings back more"


def _averaged_weights(facts: Facts) -> list[Choice]:
    if not _has_value_rates(facts):
        return []
    average = {"decay": _DECAY}
    return [Choice("training.averaged_weights", average, "what value rates leave to learn is little, and noisy")]


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
        Choice("model.head", {"kind": "linear"}, "a head with hidden layers over-fits sooner"),
        Choice("model.first_order", *_first_order(facts)),
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
