"""The JSON schema of a recipe file."""

from typing import Any

from rankelastor.recipes.choices import chosen_keys
from rankelastor.recipes.recipe import Recipe


def recipe_json_schema() -> dict[str, Any]:
    """Make the JSON schema of recipe files, with ``extends``; no key is required, since a base may provide it.

    Example:
        >>> sorted(recipe_json_schema()["properties"])
        ['data', 'extends', 'model', 'name', 'spectrum', 'training', 'version']
    """
    schema = whole_recipe_schema()
    schema.pop("required", None)
    for part in schema["$defs"].values():
        chosen = {key for key in part.get("required", ()) if key in chosen_keys(_kind(part))}
        if chosen:  # a recipe of version 2 may leave it out
            part["required"] = [key for key in part["required"] if key not in chosen]
    return schema


def _kind(part: dict[str, Any]) -> str:
    """Return the kind that a part of the schema describes; empty if it has none."""
    return str(part.get("properties", {}).get("kind", {}).get("const", ""))


def whole_recipe_schema() -> dict[str, Any]:
    """Make the JSON schema of recipes with their bases merged, in which the required keys are required.

    Example:
        >>> whole_recipe_schema()["required"]
        ['name', 'data', 'model']
    """
    schema = Recipe.model_json_schema()
    schema["title"] = "rankelastor recipe"
    schema["properties"]["extends"] = {
        "type": "string",
        "title": "Extends",
        "description": "Another recipe file, relative to this one, whose settings this one changes.",
    }
    return schema
