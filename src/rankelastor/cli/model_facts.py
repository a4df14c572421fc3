"""What `rankelastor describe` shows of a recipe or a run, as plain values for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rankelastor.models.cost import cost_of
from rankelastor.models.outline import OutlineNode, outline
from rankelastor.schema import Feature, NumericFeature

if TYPE_CHECKING:
    from rankelastor.data.manifest import Manifest
    from rankelastor.recipes.completion import Completed
    from rankelastor.runs.result import RunResult


def model_facts(completed: Completed, manifest: Manifest, result: RunResult | None) -> dict[str, Any]:
    """Collect settings, choices, the fields, the model as a tree, its cost, and the result of a finished run."""
    recipe, schema = completed.recipe, manifest.feature_schema
    return {
        "recipe": recipe.model_dump(mode="json"),
        "chosen": [asdict(choice) for choice in completed.choices],
        "fields": [{"name": spec.name, "kind": spec.describe(), **_ids(spec.feature)} for spec in manifest.features],
        "num_rows": {name: split.num_rows for name, split in manifest.splits.items()},
        "model": _tree(outline(recipe.model, schema)),
        "cost": asdict(cost_of(recipe.model, schema)),
        "result": result.as_dict() if result is not None else None,
    }


def _ids(feature: Feature) -> dict[str, Any]:
    if isinstance(feature, NumericFeature):
        return {}
    return {"num_ids": feature.num_ids, "shares": feature.shares}


def _tree(node: OutlineNode) -> dict[str, Any]:
    return {
        "name": node.name,
        "kind": node.kind,
        "output_shape": list(node.output_shape),
        "num_parameters": node.num_parameters,
        "parts": [_tree(part) for part in node.parts],
    }
