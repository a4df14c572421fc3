"""The setting ``model.numbers``: how any model embeds the numbers of numeric fields, by ``kind``, one line each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from rankelastor.models.layer_choice import LayerChoice
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.nn.embedding.periodic import PeriodicNumbers

NUMBERS = LayerChoice({"periodic": PeriodicNumbers}, given=["num_numbers", "embedding_dim"])

if TYPE_CHECKING:
    NumberSettings = LayerSettings
else:
    NumberSettings = NUMBERS.annotation


def number_layer(settings: LayerSettings | None) -> Callable[..., nn.Module] | None:
    """Make the function that builds the layer from ``num_numbers`` and ``embedding_dim``; None: scaled vectors."""
    return None if settings is None else partial(_build, settings)


def _build(settings: LayerSettings, **given: int) -> nn.Module:
    return NUMBERS.build(settings, given)
