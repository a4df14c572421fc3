"""`rankelastor models`: list the models with idea, source, settings and cost."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from rankelastor.cli.console import console

if TYPE_CHECKING:
    from rankelastor.models.cost import Cost
    from rankelastor.models.overview import ModelOverview


def register(app: typer.Typer) -> None:
    """Add the verb."""
    epilog = "Example: rankelastor models finalnet, or rankelastor models --recipe recipes/frappe/mlp.yaml"
    app.command("models", epilog=epilog)(models)


def models(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="Show this model alone, with its settings and defaults.")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            metavar="RECIPE",
            help="Add parameters and FLOPs on the data of this recipe, with the settings of its model.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs, with all settings.")] = False,
) -> None:
    """List the models that `model.kind` can name: the idea in a line, the source, the settings with their defaults.

    With --recipe, dense parameters and FLOPs per example (matrix products of a forward pass) are computed for the data
    of that recipe: its own model as it is set there, every other model with those of its settings that it shares, and
    defaults for the rest; a model that needs more than that has no figures. Data are prepared first if necessary.
    """
    from rankelastor.models.overview import find_model, models_overview

    chosen = models_overview() if kind is None else (find_model(kind),)
    costs = {} if recipe is None else _costs(recipe, [model.kind for model in chosen])
    if as_json:
        typer.echo(json.dumps([_as_dict(model, costs) for model in chosen], indent=2))
        return
    console.print(_list(chosen, costs if recipe is not None else None))
    if kind is not None:
        console.print()
        console.print(_settings(chosen[0]))


def _costs(path: Path, kinds: list[str]) -> dict[str, Cost | None]:
    from rankelastor.cli.progress import Bar
    from rankelastor.data.prepare import open_or_prepare
    from rankelastor.models.overview import cost_with_settings_of
    from rankelastor.recipes.completion import complete
    from rankelastor.recipes.load import load_recipe

    recipe = load_recipe(path)
    with Bar() as bar:
        manifest = open_or_prepare(recipe.data, progress=bar).manifest
    recipe, schema = complete(recipe, manifest).recipe, manifest.feature_schema
    return {kind: cost_with_settings_of(recipe.model, kind, schema) for kind in kinds}


def _as_dict(model: ModelOverview, costs: dict[str, Cost | None]) -> dict[str, Any]:
    cost = costs.get(model.kind)
    figures = {"cost": asdict(cost) if cost else None} if model.kind in costs else {}
    return asdict(model) | figures


def _list(chosen: tuple[ModelOverview, ...], costs: dict[str, Cost | None] | None) -> Table:
    table = Table("model.kind", box=None, pad_edge=False, header_style="bold")
    if costs is not None:
        table.add_column("dense parameters", justify="right")
        table.add_column("FLOPs per example", justify="right")
    table.add_column("idea")
    table.add_column("source")
    for model in chosen:
        cost = None if costs is None else costs[model.kind]
        numbers = (f"{cost.dense_parameters:,}", f"{cost.flops_per_example:,}") if cost else ("-", "-")
        table.add_row(escape(model.kind), *(() if costs is None else numbers), escape(model.idea), escape(model.source))
    return table


def _settings(model: ModelOverview) -> Table:
    table = Table("setting", "default", "meaning", box=None, pad_edge=False, header_style="bold")
    for setting in model.settings:
        default = "must be given" if setting.required else json.dumps(setting.default)
        table.add_row(escape(setting.name), escape(default), escape(setting.description))
    return table
