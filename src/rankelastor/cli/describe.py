"""`rankelastor describe`: show fields, vocabularies, the model as a tree and its cost; or report on prepared data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from rankelastor.cli.arguments import AsJson, Assignments, find_run
from rankelastor.cli.console import console, print_json, print_unbroken, print_words
from rankelastor.cli.fitted_table import FittedTable, printable
from rankelastor.errors import DataError, SettingsError
from rankelastor.percent import percent
from rankelastor.places import address_of, in_full
from rankelastor.suggestions import what_lies_near

if TYPE_CHECKING:
    from rankelastor.data.manifest import Manifest
    from rankelastor.models.layer_settings import LayerSettings
    from rankelastor.models.outline import OutlineNode
    from rankelastor.models.ranker_settings import RankerSettings
    from rankelastor.recipes.choices import Choice
    from rankelastor.recipes.completion import Completed
    from rankelastor.recipes.recipe import Recipe
    from rankelastor.remote.remote_path import AnyPath
    from rankelastor.runs.result import RunResult
    from rankelastor.runs.run_folder import RunFolder
    from rankelastor.schema import Feature, FeatureSchema


def register(app: typer.Typer) -> None:
    """Add the verb."""
    epilog = "Example: rankelastor describe sample/recipe.yaml, then rankelastor describe sample/prepared"
    app.command("describe", epilog=epilog)(describe)


def describe(
    place: Annotated[
        Path,
        typer.Argument(
            metavar="RECIPE_OR_FOLDER",
            help="A recipe, a run folder (or a pattern that one run matches), or a prepared folder, also at an address (s3://).",
        ),
    ],
    assignments: Assignments = None,
    top: Annotated[
        int, typer.Option("--top", min=0, help="Prepared folder: number of frequent values to show per feature.")
    ] = 3,
    as_json: AsJson = False,
) -> None:
    """Show a recipe or a run (fields, the model as a tree, its cost, its metrics), or report on a prepared folder.

    The data of a recipe are prepared first if that has not been done, because vocabulary sizes depend on them. The
    report on a prepared folder shows rows, label rates, distinct, blank, unseen and frequent values, and warns of
    leaks, constant and repeated features, and label rates that shift between splits.
    """
    if address_of(place) is not None:
        _refuse_assignments(assignments)
        _report(_address(place), top=top, as_json=as_json)
        return
    place = find_run(place)
    if _is_prepared(place):
        _refuse_assignments(assignments)
        _report(place, top=top, as_json=as_json)
    else:
        _describe_model(place, assignments or [], as_json=as_json)


def _address(place: Path) -> AnyPath:
    from rankelastor.remote.remote_path import place_of

    return place_of(place, what="the prepared folder to describe", error=SettingsError)


def _is_prepared(place: Path) -> bool:
    """Tell whether a path is a prepared folder; a run folder contains ``config.yaml``."""
    from rankelastor.data.manifest import MANIFEST_FILE

    if not place.exists():
        where = Path(in_full(place))
        raise SettingsError(
            f"{where} must be a recipe file, a run folder or a prepared folder, but does not exist; "
            f"{what_lies_near(where)}"
        )
    if not place.is_dir() or (place / "config.yaml").is_file():
        return False
    if not (place / MANIFEST_FILE).is_file():
        raise DataError(
            f"{place} must be a recipe file, a run folder (with config.yaml) or a prepared folder (with "
            f"{MANIFEST_FILE}), but it is a folder with neither"
        )
    return True


def _refuse_assignments(assignments: list[str] | None) -> None:
    if assignments:
        raise SettingsError(
            f"--set needs a recipe, but a prepared folder and --set {assignments[0]} were given; "
            "try changing the recipe and `rankelastor prepare`"
        )


def _report(folder: AnyPath, *, top: int, as_json: bool) -> None:
    from rankelastor.cli.data_tables import report_view
    from rankelastor.cli.progress import Bar
    from rankelastor.data.prepared import PreparedDataset
    from rankelastor.data_report.report import report_on

    with Bar() as bar:
        report = report_on(PreparedDataset.open(folder), top=top, progress=bar)
    if as_json:
        print_json(report.as_dict())
    else:
        console.print(report_view(report, width=console.width, top=top))


def _describe_model(place: Path, assignments: list[str], *, as_json: bool) -> None:
    from rankelastor.cli.ensemble_view import result_members_table
    from rankelastor.cli.model_facts import model_facts
    from rankelastor.cli.tables import calibration_lines, metrics_table
    from rankelastor.models.cost import cost_of
    from rankelastor.models.outline import outline

    completed, manifest = _recipe_and_manifest(place, assignments)
    recipe = completed.recipe
    result = _result(place) if not assignments else None
    if as_json:
        print_json(model_facts(completed, manifest, result))
        return
    schema = manifest.feature_schema
    console.print(_field_table(manifest))
    if odds_line := _odds_line(recipe):
        console.print(f"\n{odds_line}", highlight=False, markup=False, soft_wrap=True)
    console.print()
    print_unbroken(_model_tree(outline(recipe.model, schema)))  # a deep tree leaves no room to break its lines
    if completed.choices:
        print_words("\nThe recipe leaves out what follows; it was chosen for these data:\n")
        console.print(_choice_table(completed.choices))
    if result is not None:
        console.print()
        console.print(metrics_table(dict(result.metrics.items())))
        if result.members:
            console.print()
            console.print(result_members_table(result))
        for line in calibration_lines(result):
            print_words(line)
    cost = cost_of(recipe.model, schema)
    print_words(
        f"\n{_of_members(result)}{cost.dense_parameters:,} dense parameters, "
        f"{cost.embedding_parameters:,} embedding parameters, "
        f"{cost.flops_per_example:,} FLOPs per example (matrix products of a forward pass)\n"
        f"report on the data: rankelastor describe {recipe.data.prepared}"
    )
    _warn_of_dominant_mixing(recipe.model, schema)


def _of_members(result: RunResult | None) -> str:
    """Say whose cost is shown if the run is an ensemble."""
    if result is None or not result.members:
        return ""
    kinds = {member.model for member in result.members}
    return f"each of {len(result.members)} members: " if len(kinds) == 1 else "the first member: "


def _choice_table(choices: tuple[Choice, ...]) -> FittedTable:
    table = FittedTable("setting", "chosen", "why", left=3)
    for choice in choices:
        table.add_row(*(escape(text) for text in (choice.path, flow_yaml(choice.value), choice.reason)))
    return table


def _odds_line(recipe: Recipe) -> str:
    """Say which column weighs the rows, and what thinned negatives and weighted positives add to the logits."""
    odds, parts = recipe.odds, []
    if recipe.data.weight is not None:
        parts.append(f"rows weigh what the column {recipe.data.weight} says, in loss and metrics")
    if odds.logit_shift:
        parts.append(
            f"{odds.logit_shift:+.4f} is added to the logits of evaluation and prediction (data.negatives_kept "
            f"{odds.kept_before:g}, training.negatives_kept {odds.kept_in_training:g}, training.positive_weight "
            f"{odds.positive_weight:g})"
        )
    return "; ".join(parts)


def _warn_of_dominant_mixing(model: RankerSettings, schema: FeatureSchema) -> None:
    """Print the cost of cheaper mixings if full mixing takes more than half of the parameters or FLOPs."""
    from rankelastor.models.mixer import MixerSettings
    from rankelastor.models.mixing_cost import cheaper_mixings, mixing_cost

    if not isinstance(model, MixerSettings) or not (cheaper := cheaper_mixings(model, schema)):
        return
    full = mixing_cost(model, schema)
    console.print(
        f"\n[bold yellow]warning:[/] full mixing takes {percent(full.parameter_share, digits=0)} of the dense "
        f"parameters and {percent(full.flops_share, digits=0)} of the FLOPs per example, over half; it grows with "
        f"(num_tokens * token_dim)^2. "
        "Cheaper mixings for this model, over all blocks:\n",
        highlight=False,
        soft_wrap=True,
    )
    table = FittedTable("model.mixing", "parameters", "FLOPs per example", "of full")
    table.columns[0].overflow = "fold"  # it can be copied whole
    for cost in (full, *cheaper):
        share = cost.flops_per_example / full.flops_per_example
        table.add_row(
            escape(_as_yaml(cost.mixing)),
            f"{cost.parameters:,}",
            f"{cost.flops_per_example:,}",
            percent(share, digits=1),
        )
    console.print(table)
    print_words(
        f"\ntry --set 'model.mixing={_as_yaml(cheaper[-1].mixing)}'; only training can show its effect on the AUC"
    )


def _as_yaml(mixing: LayerSettings) -> str:
    """Format the settings that differ from their defaults as YAML on one line."""
    return flow_yaml({"kind": mixing.kind} | mixing.model_dump(mode="json", exclude_defaults=True))


def flow_yaml(value: Any) -> str:
    """Format a value as YAML on one line."""
    import yaml

    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000)
    return text.removesuffix("...\n").strip()


def _recipe_and_manifest(place: Path, assignments: list[str]) -> tuple[Completed, Manifest]:
    from rankelastor.cli.progress import Bar
    from rankelastor.data.manifest import Manifest
    from rankelastor.data.prepare import open_or_prepare
    from rankelastor.recipes.completion import Completed, complete
    from rankelastor.recipes.load import load_recipe, parse_overrides, with_overrides
    from rankelastor.runs.run_folder import RunFolder

    overrides = parse_overrides(assignments)
    if place.is_dir():
        run = RunFolder.open(place)
        recipe, manifest = with_overrides(run.recipe(), overrides), Manifest.read(run.features)
        return Completed(recipe, _choices_of_run(run, recipe)), manifest
    recipe = load_recipe(place, overrides)
    with Bar() as bar:
        manifest = open_or_prepare(recipe.data, progress=bar).manifest
    return complete(recipe, manifest), manifest


def _choices_of_run(run: RunFolder, recipe: Recipe) -> tuple[Choice, ...]:
    """Read what was chosen for a run, with the values that it has."""
    from rankelastor.recipes.choices import Choice
    from rankelastor.recipes.merging import value_at
    from rankelastor.recipes.protocols import TRANSFORM

    chosen = run.environment().get("chosen", {})
    values = recipe.model_dump(mode="json")
    by_kind = {"data.fields.numeric.transform": TRANSFORM}  # of several fields
    return tuple(Choice(path, by_kind.get(path, value_at(values, path)), reason) for path, reason in chosen.items())


def _result(place: Path) -> RunResult | None:
    """Read the result of a finished run; None for a recipe or a run that was stopped."""
    from rankelastor.runs.run_folder import RunFolder

    run = RunFolder(place)
    return run.result() if place.is_dir() and run.has_result else None


def _field_table(manifest: Manifest) -> FittedTable:
    schema = manifest.feature_schema
    table = FittedTable("field", "kind", "ids (padding and unseen included)", left=2)
    for spec in manifest.features:
        table.add_row(*(Text(printable(text)) for text in (spec.name, spec.describe(), _num_ids(spec.feature))))
    num_ids = sum(feature.num_ids for feature in schema.with_ids if feature.shares is None)
    table.add_section()
    table.add_row(f"{schema.num_fields} fields", "", f"{num_ids:,}")
    return table


def _num_ids(feature: Feature) -> str:
    from rankelastor.schema import NumericFeature

    if isinstance(feature, NumericFeature):
        return ""
    return f"those of {feature.shares}" if feature.shares else f"{feature.num_ids:,}"


def _model_tree(part: OutlineNode, branch: Tree | None = None) -> Tree:
    shape = " x ".join(str(size) for size in part.output_shape)
    parameters = f"[dim]{part.num_parameters:,} parameters[/]" if part.num_parameters else ""
    line = f"[bold]{escape(part.name)}[/] {part.kind}  {f'-> {shape}' if shape else ''}  {parameters}".rstrip()
    tree = Tree(line) if branch is None else branch.add(line)
    for inner in part.parts:
        _model_tree(inner, tree)
    return tree
