"""Write the pages docs/models/KIND.md: anew what the catalogue has, and between the marks what was written by hand.

Example:
    python -m tests.docs.model_pages
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from rankelastor.models.cost import Cost, cost_of
from rankelastor.models.outline import point_shapes
from rankelastor.models.overview import ModelOverview, SettingOverview, models_overview
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.recipes.load import load_recipe
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import CategoricalFeature, FeatureSchema
from rankelastor.tuning.default_space import default_space
from rankelastor.tuning.draws import Draw

DOCS = Path(__file__).parents[2] / "docs"
PAGES = DOCS / "models"
RECIPES = DOCS.parent / "recipes" / "private" / "frappe"
BEGIN, END = "<!-- by hand from here -->", "<!-- to here; the rest: python -m tests.docs.model_pages -->"
_FIELDS = {"user": 957, "item": 4082, "daytime": 7, "weekday": 7, "isweekend": 2, "homework": 3, "cost": 2,
           "weather": 9, "country": 80, "city": 233}  # fmt: skip
_COMMON = tuple(name for name in RankerSettings.model_fields if name != "kind")


def write_pages() -> None:
    """Write all pages."""
    for model in models_overview():
        path = PAGES / f"{model.kind}.md"
        path.write_text(page_of(model, body_of(path)), encoding="utf-8")


def body_of(path: Path) -> str:
    """Read what was written by hand in a page; empty for a new one."""
    if not path.is_file():
        return ""
    return path.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def page_of(model: ModelOverview, body: str) -> str:
    """Write the page of a model around what was written by hand."""
    recipe = load_recipe(RECIPES / f"{model.kind}.yaml")
    schema = frappe_schema()
    parts = [
        f"# `{model.kind}`",
        f"{model.idea}\n\nSource: {model.source}\nFile: `src/rankelastor/models/{model.kind}.py`. [All](../models.md)",
        f"{BEGIN}\n\n{body}\n\n{END}",
        f"## Settings\n\n{_settings(model.settings)}",
        f"## Cost\n\n{_cost(cost_of(recipe.model, schema), model.kind)}",
        f"## What a tuning draws\n\n{_space(recipe, schema, model.kind)}",
        f"## Points of the spectrum\n\n{_points(recipe, schema)}",
    ]
    return "\n\n".join(parts) + "\n"


def frappe_schema() -> FeatureSchema:
    """Make the schema of Frappe's ten fields, with padding and out of vocabulary."""
    return FeatureSchema(tuple(CategoricalFeature(name, values + 2) for name, values in _FIELDS.items()))


def _settings(settings: tuple[SettingOverview, ...]) -> str:
    own = [setting for setting in settings if setting.name.split(".")[0] not in _COMMON]
    rows = [f"| `{each.name}` | {_default(each)} | {_cell(each.description)} |" for each in own]
    table = "\n".join(["| setting | default | meaning |", "| --- | --- | --- |", *rows])
    names = ", ".join(f"`{name}`" for name in _COMMON)
    common = f"Every model has these, too: {names}; see [models.md](../models.md) and [settings.md](../settings.md)."
    return f"{table}\n\n{common}" if rows else f"It has none of its own. {common}"


def _space(recipe: Recipe, schema: FeatureSchema, kind: str) -> str:
    space = default_space(recipe, schema)
    rows = [f"| `{name}` | {_draw(draw)} |" for name, draw in space.draws.items()]
    table = "\n".join(["| setting | drawn from |", "| --- | --- |", *rows])
    return (
        "`rankelastor tune RECIPE` draws around the recipe at hand; for "
        f"`recipes/private/frappe/{kind}.yaml` that is\n\n{table}\n\n"
        "`--show-space` prints the space of a recipe, and `--space FILE` takes another."
    )


def _draw(draw: Draw) -> str:
    ((kind, values),) = draw.as_dict().items()
    listed = [str(value) if isinstance(value, list) else f"{value:g}" for value in values]
    if kind == "one_of":
        return f"one of {', '.join(listed)}"
    return " to ".join(listed) + (", evenly in the logarithm" if kind == "log" else "")


def _default(setting: SettingOverview) -> str:
    return "required" if setting.required else f"`{_cell(json.dumps(setting.default))}`"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _cost(cost: Cost, kind: str) -> str:
    return (
        f"With the settings of `recipes/private/frappe/{kind}.yaml` on ten fields of 5,382 values in all: "
        f"{cost.dense_parameters:,} dense parameters, {cost.embedding_parameters:,} of embeddings, "
        f"{cost.flops_per_example:,} FLOPs an example in scoring and {cost.training_flops_per_example:,} in training. "
        f"`rankelastor models {kind} --recipe RECIPE` counts them for your data."
    )


def _points(recipe: Recipe, schema: FeatureSchema) -> str:
    shapes = point_shapes(recipe.model, schema)
    rows = [f"| `{name}` | {' x '.join(map(str, shape))} |" for name, shape in shapes.items()]
    return "\n".join(["With the same recipe:\n", "| point | rows x width |", "| --- | --- |", *rows])


if __name__ == "__main__":
    write_pages()
