"""Complete a recipe with the settings that are chosen for its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rankelastor.config.short_paths import group_settings
from rankelastor.data.manifest import Manifest
from rankelastor.recipes.choices import Choice, choose
from rankelastor.recipes.facts import Facts
from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.merging import merge_settings, nested, value_at
from rankelastor.recipes.protocols import TRANSFORM, leaves_transforms_out
from rankelastor.recipes.recipe import Recipe


@dataclass(frozen=True)
class Completed:
    """A recipe in which nothing is left out, and what was chosen for it."""

    recipe: Recipe
    choices: tuple[Choice, ...]


def complete(recipe: Recipe, manifest: Manifest) -> Completed:
    """Choose what the recipe leaves out, by its prepared data; a recipe of another protocol stays as it is.

    Args:
        recipe: the recipe.
        manifest: the description of its prepared data.
    """
    if not recipe.chooses:
        return Completed(recipe, ())
    return complete_for(recipe, Facts.of(manifest))


def complete_for(recipe: Recipe, facts: Facts) -> Completed:
    """Choose what the recipe leaves out, by the facts of its data."""
    given = recipe.given
    given["training"], _ = group_settings(given.get("training", {}))
    chosen = tuple(choice for choice in choose(facts, recipe.model.kind) if _is_possible(choice, given))
    values: dict[str, Any] = {}
    for choice in chosen:
        values = merge_settings(values, nested(choice.path, choice.value))
    completed = recipe_from_values(merge_settings(values, given), source=recipe.name)
    completed = recipe_from_values(completed.model_dump(mode="json"))  # all of it is given now
    left_out = [_left_out(choice, given) for choice in chosen]
    choices = [choice for choice in left_out if choice is not None]
    if leaves_transforms_out(given):
        reason = "numbers of any size beside ids must have about the same size"
        choices.insert(0, Choice("data.fields.numeric.transform", TRANSFORM, reason))
    return Completed(completed, tuple(choices))


def _is_possible(choice: Choice, given: Mapping[str, Any]) -> bool:
    """Tell whether a choice goes with what is given: of tables in several processes no averages are kept."""
    is_sharded = value_at(given, "training.distributed.embedding") == "sharded"
    return not (is_sharded and choice.path == "training.averaged_weights")


def _left_out(choice: Choice, given: Mapping[str, Any]) -> Choice | None:
    """Return the part of a choice that the recipe does not give; None if it gives all of it."""
    value = value_at(given, choice.path)
    if value is None:
        return None if _is_given(given, choice.path) else choice
    if not (isinstance(value, Mapping) and isinstance(choice.value, Mapping)):
        return None
    if value.get("kind", choice.value.get("kind")) != choice.value.get("kind"):
        return None
    left = {key: each for key, each in choice.value.items() if key not in value}
    return Choice(choice.path, left, choice.reason) if left else None


def _is_given(given: Mapping[str, Any], path: str) -> bool:
    """Tell whether a setting is given as null."""
    parent, _, key = path.rpartition(".")
    holder = value_at(given, parent)
    return isinstance(holder, Mapping) and key in holder
