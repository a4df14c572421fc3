"""Check that the sizes of a model fit its data before the data are read."""

from __future__ import annotations

from pathlib import Path

from rankelastor.data.building.sketch import sketched_schema
from rankelastor.models.cost import unfilled_ranker
from rankelastor.recipes.recipe import Recipe


def check_sizes(recipe: Recipe) -> None:
    """Build the recipe's ranker for a sketch of its fields, if its data are not prepared yet.

    Nothing is checked where the sizes are chosen by the data, where fields are named by patterns, or where a tower
    needs values for serving, which are found among the data.

    Raises:
        SettingsError: sizes do not fit each other, or the fields.
    """
    if recipe.chooses or recipe.model.shallow_tower is not None or Path(recipe.data.prepared).exists():
        return
    schema = sketched_schema(recipe.data)
    if schema is not None:
        unfilled_ranker(recipe.model, schema)
