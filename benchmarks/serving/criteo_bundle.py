"""Make a bundle like that of the Criteo model, e = 10, on a log that is generated; what it has learned does not matter.

A speed depends on the shapes and on the sizes of the vocabularies, so that few rows are trained on for one epoch.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.criteo_like import CATEGORICAL, LABEL, NUMERIC, write_criteo_like
from benchmarks.speed.workloads import CRITEO_E10

from rankelastor.bundles.make import BundleOptions, bundle_run
from rankelastor.recipes.load import recipe_from_values
from rankelastor.training.run import train

FOLDER = Path("/tmp/serving-benchmark")  # noqa: S108 - nothing secret
_NUM_ROWS = 60_000
_NUM_DISTINCT = 500_000


def criteo_bundle(folder: Path) -> Path:
    """Return the bundle in a folder, which is made at the first call (about half a minute on one core)."""
    bundle = folder / "criteo-e10.rank"
    if bundle.is_file():
        return bundle
    folder.mkdir(parents=True, exist_ok=True)
    write_criteo_like(folder / "log.csv", num_rows=_NUM_ROWS, num_distinct=_NUM_DISTINCT)
    fields = [
        *({"kind": "numeric", "column": name} for name in NUMERIC),
        *({"kind": "categorical", "column": name} for name in CATEGORICAL),
    ]
    recipe = recipe_from_values(
        {
            "name": "criteo-e10",
            "version": 2,
            "data": {
                "prepared": str(folder / "prepared"),
                "files": {"folder": str(folder), "all": "log.csv"},
                "split": {"kind": "random", "valid": 0.1, "test": 0.1, "seed": 1},
                "label": LABEL,
                "fields": fields,
            },
            "model": CRITEO_E10.model_dump(mode="json"),
            "training": {"epochs": 1, "batch_size": 4096, "threads": 1},
        },
        source="benchmarks.serving",
    )
    train(recipe, folder=folder / "run")
    bundle_run(folder / "run", bundle, options=BundleOptions(measure=False))
    return bundle
