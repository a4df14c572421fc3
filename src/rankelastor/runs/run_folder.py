"""The folder of one run.

.. code-block:: text

    config.yaml        the resolved recipe
    environment.json   versions, device, commit, seed, data fingerprint
    features/          schema.json and vocabulary/: what it takes to read new raw rows
    metrics.jsonl      one line an evaluation
    checkpoints/       best.safetensors
    result.json        final metrics, cost, wall time; only a finished run has one
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from rankelastor.errors import RunError
from rankelastor.recipes.load import dump_yaml, load_recipe
from rankelastor.recipes.recipe import Recipe
from rankelastor.storage import explained_storage_errors, whole_file


def default_run_folder(recipe: Recipe) -> Path:
    """Where a run goes that is given no folder: ``runs/<name of the recipe>``."""
    return Path("runs") / recipe.name


class RunFolder:
    """Paths and parts of a run folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path, recipe: Recipe) -> Self:
        """A new folder that holds ``config.yaml``.

        Raises:
            RunError: something is there already.
            StorageError: the place cannot be written.
        """
        run = cls(path)
        if run.path.exists():
            raise RunError(f"a run folder must be new, but {path} exists; name another with --run, or remove that one")
        with explained_storage_errors(run.path):
            run.path.mkdir(parents=True)
        try:
            run._write_text("config.yaml", dump_yaml(recipe))
        except BaseException:
            run.remove()
            raise
        return run

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """A folder that ``create`` made.

        Raises:
            RunError: it is missing or no run folder.
        """
        run = cls(path)
        if not run.path.is_dir():
            raise RunError(f"a run must be a folder, but {path} is none; `rankelastor train` makes one")
        if not (run.path / "config.yaml").is_file():
            raise RunError(f"a run folder must hold config.yaml, but {path} does not; is it a run folder?")
        return run

    @property
    def best_weights(self) -> Path:
        """Weights of the best evaluation."""
        return self.path / "checkpoints" / "best.safetensors"

    @property
    def features(self) -> Path:
        """Schema and vocabularies."""
        return self.path / "features"

    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return load_recipe(self.path / "config.yaml")

    def result(self) -> dict[str, Any]:
        """The contents of ``result.json``.

        Raises:
            RunError: the run has not finished.
        """
        path = self.path / "result.json"
        if not path.is_file():
            raise RunError(f"a finished run must hold result.json, but {self.path} does not: it was stopped early")
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return result

    def write_json(self, name: str, values: Mapping[str, Any]) -> None:
        """Write ``name`` as JSON, whole or not at all; NaN is refused."""
        self._write_text(name, json.dumps(values, indent=2, allow_nan=False) + "\n")

    def append_metrics(self, line: Mapping[str, Any]) -> None:
        """Add one line to ``metrics.jsonl``."""
        path = self.path / "metrics.jsonl"
        with explained_storage_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _write_text(self, name: str, text: str) -> None:
        with whole_file(self.path / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
