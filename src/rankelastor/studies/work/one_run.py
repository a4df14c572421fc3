"""Carry out one run of a study: match, train, test, measure ranks, and return what its line holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rankelastor.data.prepare import open_or_prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import RankElastorError
from rankelastor.recipes.completion import complete
from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.run_folder import RunFolder
from rankelastor.spectrum.runs.measure_run import measure_run
from rankelastor.studies.plan.matching import Match, matched
from rankelastor.studies.work.lines import without_places
from rankelastor.training.interruption import Interruption
from rankelastor.training.run import train

_FACTS = ("commit", "packages", "python", "processor", "device", "threads", "kernels", "precision")
Outcome = dict[str, Any]
"""What a line holds beside the point, as plain values."""


@dataclass(frozen=True)
class Order:
    """What a run needs, as plain values that can be sent to a process.

    Attributes:
        recipe: the recipe as it is given.
        folder: the run folder; an unfinished run in it is gone on with.
        rank_examples: examples over which ranks are measured; 0 measures none.
        reference: the recipe whose dense parameters are matched, or None.
        adjust: path of the setting that is chosen for that.
        within: largest difference, as a share.
    """

    recipe: Mapping[str, Any]
    folder: str
    rank_examples: int = 0
    reference: Mapping[str, Any] | None = None
    adjust: str = ""
    within: float = 0.0

    @classmethod
    def of(cls, recipe: Recipe, folder: Path, *, rank_examples: int, match: Match | None = None) -> Self:
        """Make the order of a run."""
        more: dict[str, Any] = {}
        if match is not None:
            more = {"reference": match.reference.given, "adjust": match.setting, "within": match.within}
        return cls(recipe.given, str(folder), rank_examples, **more)

    def as_dict(self) -> dict[str, Any]:
        """Convert to values for JSON."""
        return asdict(self)

    def carry_out(self, interruption: Interruption | None = None) -> Outcome:
        """Train, test and measure the run, or say why that failed.

        A run whose folder is finished is not trained again.
        """
        try:
            return _finished(self, interruption)
        except RankElastorError as error:
            return {"status": "failed", "reason": str(error)}
        except (ArithmeticError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
            # a mistake of ours in one run must not stop the others, and its line says so
            return {"status": "failed", "reason": f"{type(error).__name__}: {error}"}


def _finished(order: Order, interruption: Interruption | None) -> Outcome:
    recipe = recipe_from_values(order.recipe)
    dataset = open_or_prepare(recipe.data)
    chosen: dict[str, int] = {}
    if order.reference is not None:
        recipe, chosen = _matched(recipe, order, dataset)
    run = RunFolder(order.folder)
    if not run.has_result:
        train(recipe, folder=run.path, interruption=interruption)
    result, environment, settings = run.result(), run.environment(), run.recipe()
    return {
        "status": "finished",
        "chosen": chosen,
        "settings": without_places(settings.model_dump(mode="json")),
        "environment": {name: environment[name] for name in _FACTS if environment.get(name) is not None},
        "data_fingerprint": dataset.fingerprint,
        "num_train_rows": round(dataset.split("train").num_rows * settings.training.train_share),
        "cost": asdict(result.cost),
        "metrics": {split: dict(values) for split, values in result.metrics.items()},
        "ranks": _ranks(run.path, order.rank_examples) if order.rank_examples else {},
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "examples_per_second": result.examples_per_second,
        "seconds": result.seconds,
    }


def _matched(recipe: Recipe, order: Order, dataset: PreparedDataset) -> tuple[Recipe, dict[str, int]]:
    assert order.reference is not None, "it is matched"
    reference = complete(recipe_from_values(order.reference), dataset.manifest).recipe
    match = Match(reference, order.adjust, order.within)
    return matched(complete(recipe, dataset.manifest).recipe, match, dataset.schema)


def _ranks(folder: Path, num_examples: int) -> dict[str, dict[str, float]]:
    """Measure the mean rank of the examples' token matrices after each stage; a model without tokens has none."""
    spectrum = measure_run(folder, num_examples=num_examples)
    found: dict[str, dict[str, float]] = {}
    for stage in spectrum.stages:
        for measure, values in spectrum.recording[stage].examples.items():
            if values.mean is not None and math.isfinite(values.mean):
                found.setdefault(measure, {})[stage] = round(values.mean, 5)
    return found
