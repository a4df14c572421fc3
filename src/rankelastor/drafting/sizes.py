"""Choose batch size, training and model size for a number of rows, as a recipe of version 2 leaves them out."""

from __future__ import annotations

from typing import Any

from rankelastor.config.training import TrainingSettings
from rankelastor.drafting.draft import Choice
from rankelastor.models.rankelastor import RankElastorSettings
from rankelastor.recipes.choices import choose
from rankelastor.recipes.facts import Facts
from rankelastor.recipes.merging import merge_settings, nested

_KIND = "rankelastor"
_TRAIN_SHARE = 0.8


def choose_model(num_rows: int, num_features: int) -> Choice[RankElastorSettings]:
    """Choose the size of a RankElastor: wider and deeper with more rows, no more tokens than features.

    Example:
        >>> choose_model(5_000, 6).value.num_tokens
        6
    """
    settings = RankElastorSettings.model_validate({"kind": _KIND, **_chosen(num_rows, num_features)["model"]})
    blocks = "one block" if settings.num_blocks == 1 else f"{settings.num_blocks} blocks"
    sizes = f"{settings.num_tokens} tokens of {settings.token_dim} and {blocks}"
    return Choice(settings, f"its sizes are chosen for the data; for {num_rows:,} rows about {sizes}")


def choose_training(num_rows: int) -> Choice[TrainingSettings]:
    """Choose the batch size and how training goes on and ends.

    Example:
        >>> choose_training(9_000).value.batch_size
        128
    """
    settings = TrainingSettings.model_validate(_chosen(num_rows, 1)["training"])
    steps = -(-_train_rows(num_rows) // settings.batch_size)
    return Choice(settings, f"{steps:,} steps an epoch; `rankelastor describe` shows all that is chosen, with reasons")


def _train_rows(num_rows: int) -> int:
    return max(1, int(num_rows * _TRAIN_SHARE))


def _chosen(num_rows: int, num_features: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for choice in choose(Facts(_train_rows(num_rows), num_features, num_rows, num_rows), _KIND):
        values = merge_settings(values, nested(choice.path, choice.value))
    return values
