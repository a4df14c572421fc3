"""The space of a tuning that names none: the settings that matter most, around those of the recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rankelastor.errors import SettingsError
from rankelastor.models.cost import cost_of
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import FeatureSchema
from rankelastor.tuning.draws import Draw
from rankelastor.tuning.space import Space, paths_of

_SMALLEST_BATCH = 32
_RATE_FACTOR = 4
_L2_FACTOR = 100
_L2 = (1e-6, 1e-2)
_STD = (1e-4, 1e-1)
_DROPOUT = (0.0, 0.5)
_WIDTHS = (4, 8, 16, 32)
_BLOCKS = (1, 2, 3)


def default_space(recipe: Recipe, schema: FeatureSchema) -> Space:
    """Choose what to draw for a recipe whose settings are complete.

    Learning rate, L2 and initial deviation of embeddings, batch size; of the model the width of embeddings, one
    dropout for all its layers, its number of blocks, and the width of its tokens or, without tokens, of its hidden
    layers. Of sizes, only those are drawn that fit the data while the others stay as they are.

    Args:
        recipe: the recipe.
        schema: features of its prepared data.
    """
    fitting = {name: _that_fit(name, draw, recipe, schema) for name, draw in _candidates(recipe)}
    return Space({name: draw for name, draw in fitting.items() if draw is not None}, source="the default space")


def _candidates(recipe: Recipe) -> Iterator[tuple[str, Draw]]:
    training, model = recipe.training, recipe.model.model_dump(mode="json")
    rate, l2, batch = training.optimiser.learning_rate, training.optimiser.embedding_l2, training.batch_size
    yield "training.optimiser.learning_rate", Draw("log", (rate / _RATE_FACTOR, rate * _RATE_FACTOR))
    around = (min(l2, _L2[1]) / _L2_FACTOR, l2 * _L2_FACTOR / 10) if l2 else _L2
    yield "training.optimiser.embedding_l2", Draw("log", around)
    least = min(batch, _SMALLEST_BATCH)
    sizes = {max(least, batch // 4), max(least, batch // 2), batch, 2 * batch}
    yield "training.batch_size", Draw("one_of", tuple(sorted(sizes)))
    yield "model.embedding_std", Draw("log", _STD)
    if "embedding_dim" in model:
        widths = tuple(sorted({*_WIDTHS, model["embedding_dim"]}))
        yield "model.embedding_dim", Draw("one_of", widths)
    dropouts = ", ".join(_paths_to("dropout", model, "model"))
    if dropouts:
        yield dropouts, Draw("between", _DROPOUT)
    if "num_blocks" in model and not model.get("mixings"):
        yield "model.num_blocks", Draw("one_of", tuple(sorted({*_BLOCKS, model["num_blocks"]})))
    yield from _sizes(model)


def _sizes(model: Mapping[str, Any]) -> Iterator[tuple[str, Draw]]:
    """Yield the width of the tokens; of a model without tokens, the widths of its hidden layers, wherever they are."""
    if "token_dim" in model:
        yield "model.token_dim", Draw("one_of", tuple(sorted({*_scaled(model["token_dim"])})))
        return
    for path, widths in _settings_named("hidden_dims", model, "model"):
        if isinstance(widths, list) and widths:
            yield path, Draw("one_of", tuple([_scaled(width)[size] for width in widths] for size in range(3)))


def _scaled(width: int) -> tuple[int, int, int]:
    return (width + 1) // 2, width, 2 * width


def _paths_to(setting: str, values: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the path of each setting of this name that holds a number."""
    return (place for place, value in _settings_named(setting, values, path) if isinstance(value, int | float))


def _settings_named(setting: str, values: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """Yield path and value of each setting of this name, within others too."""
    for name, value in values.items():
        if name == setting:
            yield f"{path}.{name}", value
        elif isinstance(value, Mapping):
            yield from _settings_named(setting, value, f"{path}.{name}")


def _that_fit(name: str, draw: Draw, recipe: Recipe, schema: FeatureSchema) -> Draw | None:
    """Keep the values of a list that fit the data; None if there is nothing to choose."""
    if draw.kind != "one_of":
        return draw
    values = tuple(value for value in draw.values if _fits(dict.fromkeys(paths_of(name), value), recipe, schema))
    return Draw("one_of", values) if len(values) > 1 else None


def _fits(overrides: dict[str, Any], recipe: Recipe, schema: FeatureSchema) -> bool:
    try:
        cost_of(with_overrides(recipe, overrides).model, schema)
    except SettingsError:
        return False
    return True
