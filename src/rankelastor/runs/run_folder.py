"""The folder of one run.

.. code-block:: text

    config.yaml        the resolved recipe
    environment.json   format_version of the folder; versions, device, commit, seed, data fingerprint
    features/          schema.json and vocabulary/: what it takes to read new raw rows
    metrics.jsonl      one line an evaluation
    checkpoints/       best.safetensors
    result.json        final metrics, cost, wall time; only a finished run has one, see runs/result.py

``FORMAT_VERSION`` counts the layouts that readers must tell apart:

- 1: what version 0.1.0 wrote, without a ``format_version``. The weights have the names of its layers; ``load_run``
  translates them (runs/migration.py). ``result.json`` does not tell the executor.
- 2: this one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from rankelastor.errors import RunError
from rankelastor.recipes.load import dump_yaml, load_recipe
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.result import RunResult, read_result
from rankelastor.storage import explain_storage_errors, whole_file

FORMAT_VERSION = 2
_FIRST_FORMAT_VERSION = 1


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
        with explain_storage_errors(run.path):
            run.path.mkdir(parents=True)
        try:
            run._write_text("config.yaml", dump_yaml(recipe))
        except BaseException:
            run.remove()
            raise
        return run

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a folder that ``create`` made.

        Raises:
            RunError: it is missing, no run folder, or of a newer format than this version reads.
        """
        run = cls(path)
        if not run.path.is_dir():
            raise RunError(f"a run must be a folder, but {path} is none; `rankelastor train` makes one")
        if not (run.path / "config.yaml").is_file():
            raise RunError(f"a run folder must hold config.yaml, but {path} does not; is it a run folder?")
        if run.format_version > FORMAT_VERSION:
            raise RunError(
                f"a run folder must have format_version {FORMAT_VERSION} or lower, but {path} has "
                f"{run.format_version}: a newer version of rankelastor wrote it; update rankelastor"
            )
        return run

    @property
    def format_version(self) -> int:
        """The layout of the folder, see the head of this file."""
        path = self.path / "environment.json"
        if not path.is_file():
            return _FIRST_FORMAT_VERSION
        version = _read_mapping(path).get("format_version", _FIRST_FORMAT_VERSION)
        if not isinstance(version, int):
            raise RunError(f"{path}: format_version must be a whole number, but {version!r} was given")
        return version

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

    @property
    def has_result(self) -> bool:
        """Whether the run has finished."""
        return (self.path / "result.json").is_file()

    def result(self) -> RunResult:
        """Read ``result.json``.

        Raises:
            RunError: the run has not finished, or the file is damaged.
        """
        path = self.path / "result.json"
        if not self.has_result:
            raise RunError(f"a finished run must hold result.json, but {self.path} does not: it was stopped early")
        return read_result(path.read_text(encoding="utf-8"), source=str(path))

    def write_environment(self, facts: Mapping[str, object]) -> None:
        """Write ``environment.json``: the format version and what the run runs on."""
        self._write_json("environment.json", {"format_version": FORMAT_VERSION, **facts})

    def write_result(self, result: RunResult) -> None:
        """Write ``result.json``, which makes the run a finished one."""
        self._write_json("result.json", result.as_dict())

    def append_metrics(self, line: Mapping[str, object]) -> None:
        """Add one line to ``metrics.jsonl``."""
        path = self.path / "metrics.jsonl"
        with explain_storage_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _write_json(self, name: str, values: Mapping[str, object]) -> None:
        """Write JSON, whole or not at all; NaN is refused."""
        self._write_text(name, json.dumps(values, indent=2, allow_nan=False) + "\n")

    def _write_text(self, name: str, text: str) -> None:
        with whole_file(self.path / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _read_mapping(path: Path) -> Mapping[str, object]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} must hold JSON, but cannot be read: {error}") from None
    if not isinstance(values, Mapping):
        raise RunError(f"{path} must hold a JSON mapping, but holds {type(values).__name__}")
    return values
