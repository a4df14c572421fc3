"""The folder of one run.

.. code-block:: text

    config.yaml        the resolved recipe
    environment.json   format_version of the folder; versions, device, commit, seed, data fingerprint, and where the
                       prepared folder was
    features/          schema.json and vocabulary/, with which new raw rows are encoded
    metrics.jsonl      one line per evaluation
    train.log          what happened when, for people
    checkpoints/       best.safetensors; of an unfinished run also best_valid.safetensors and step-.../, see
                       runs/checkpoints.py
    result.json        final metrics, cost, wall time; only a finished run has one, see runs/result.py
    calibration.json   how logits are calibrated, if they are, see calibration/calibration.py
    checksums.json     checksums of all these but train.log, see runs/seal.py

The folder of an ensemble has ``members/`` instead of ``checkpoints/``, see runs/ensemble_folder.py.

``FORMAT_VERSION`` numbers the layouts that readers must distinguish:

- 1: written by version 0.1.0, without a ``format_version``. The weights have the former parameter names, which
  ``load_run`` changes (runs/migration.py). ``result.json`` has no ``executor``.
- 2: without ``checksums.json``, and without checksums in weights and ``schema.json``.
- 3: the present layout.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from rankelastor.errors import RUN_FOLDER, RunError, shorten
from rankelastor.places import in_full, refuse_address
from rankelastor.recipes.load import dump_yaml, load_recipe
from rankelastor.recipes.recipe import Recipe
from rankelastor.remote.remote_path import AnyPath, place_of
from rankelastor.runs.result import RunResult, read_result
from rankelastor.runs.seal import SEAL_FILE, Seal
from rankelastor.storage import explain_storage_errors, whole_file
from rankelastor.suggestions import what_lies_near

FORMAT_VERSION = 3
_FIRST_FORMAT_VERSION = 1
_FIRST_WITH_CHECKSUMS = 3


def default_run_folder(recipe: Recipe) -> Path:
    """Return the default run folder of a recipe, ``runs/<name of the recipe>``."""
    return Path("runs") / recipe.name


class RunFolder:
    """A run folder: its paths, and methods that read and write its files."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path, recipe: Recipe) -> Self:
        """Make a new run folder that holds ``config.yaml``.

        Raises:
            RunError: the path exists.
            StorageError: the folder cannot be written.
        """
        refuse_address(path, what="a run", error=RunError)
        run = cls(path)
        if run.path.exists():
            raise RunError(
                f"a run folder must be new, but {path} exists; remove it, or name another with {RUN_FOLDER}",
                python=RUN_FOLDER,
            )
        with explain_storage_errors(run.path):
            run.path.mkdir(parents=True)
        try:
            run.write_recipe(recipe)
        except BaseException:
            run.remove()
            raise
        return run

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a folder that ``create`` made.

        Raises:
            RunError: the folder is missing, is not a run folder, or has a newer format than this version reads.
        """
        refuse_address(path, what="a run", error=RunError)
        run = cls(path)
        try:
            run.path.is_dir() and (run.path / "config.yaml").is_file()
        except OSError as error:
            raise RunError(f"the run folder {path} cannot be read: {error.strerror or error}") from error
        if not run.path.is_dir():
            place = Path(in_full(path))
            if place.exists():
                raise RunError(
                    f"a run must be a folder or a bundle, but {place} is another file; `rankelastor train` makes a run "
                    "folder, and `rankelastor bundle` a bundle"
                )
            raise RunError(f"the run folder {place} does not exist; {what_lies_near(place)}")
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
        """Format version of the folder, see the module docstring."""
        path = self.path / "environment.json"
        if not path.is_file():
            return _FIRST_FORMAT_VERSION
        version = _read_mapping(path).get("format_version", _FIRST_FORMAT_VERSION)
        if not isinstance(version, int) or version < _FIRST_FORMAT_VERSION:
            raise RunError(f"{path}: format_version must be a whole number, but {shorten(version)} was given")
        return version

    @property
    def best_weights(self) -> Path:
        """Path of the weights of the best evaluation."""
        return self.checkpoints / "best.safetensors"

    @property
    def checkpoints(self) -> Path:
        """Path of the folder with weights and checkpoints."""
        return self.path / "checkpoints"

    @property
    def best_valid(self) -> Path:
        """Path of the probabilities of valid of the best evaluation, which only an unfinished run has."""
        return self.checkpoints / "best_valid.safetensors"

    @property
    def train_log(self) -> Path:
        """Path of the log for people."""
        return self.path / "train.log"

    @property
    def features(self) -> Path:
        """Path of the folder with schema and vocabularies."""
        return self.path / "features"

    @property
    def prepared(self) -> AnyPath | None:
        """Path in full, or address, of the prepared folder when the run was trained; None if the run does not say."""
        path = self.path / "environment.json"
        found = _read_mapping(path).get("prepared") if path.is_file() else None
        return place_of(found, what="prepared", error=RunError) if isinstance(found, str) else None

    def recipe(self) -> Recipe:
        """Read the resolved recipe."""
        return load_recipe(self.path / "config.yaml")

    def seal(self) -> Seal | None:
        """Read the checksums of the folder; None if an earlier version wrote it, without any.

        Raises:
            RunError: they are missing, damaged, or were written by a newer version.
        """
        seal = Seal.read(self.path)
        if seal is None and self.format_version >= _FIRST_WITH_CHECKSUMS:
            raise RunError(f"a run folder must hold {SEAL_FILE}, but {self.path} does not; restore it from a copy")
        return seal

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
        if (seal := self.seal()) is not None:
            seal.require_whole(path.name)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise RunError(f"{path} must hold JSON, but cannot be read: {error}") from error
        return read_result(text, source=str(path))

    def environment(self) -> Mapping[str, Any]:
        """Read ``environment.json``; empty if the run was stopped before it was written.

        Raises:
            RunError: the file is damaged.
        """
        path = self.path / "environment.json"
        return _read_mapping(path) if path.is_file() else {}

    @property
    def is_resumable(self) -> bool:
        """Whether a version that writes checkpoints made the folder."""
        return bool(self.environment().get("resumable", False))

    def write_recipe(self, recipe: Recipe) -> None:
        """Write ``config.yaml``."""
        self._write_text("config.yaml", dump_yaml(recipe))

    def write_metrics(self, lines: Iterable[Mapping[str, object]]) -> None:
        """Replace ``metrics.jsonl``."""
        self._write_text("metrics.jsonl", "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))

    def metrics(self) -> list[Mapping[str, Any]]:
        """Read ``metrics.jsonl``; a last line without a line end, as left by a killed run, is ignored.

        Raises:
            RunError: a line is no JSON mapping.
        """
        path = self.path / "metrics.jsonl"
        if not path.is_file():
            return []
        *lines, _unfinished = path.read_text(encoding="utf-8", errors="replace").split("\n")
        try:
            found = [json.loads(line) for line in lines]
        except (ValueError, RecursionError) as error:
            raise RunError(f"{path} must hold lines of JSON, but does not: {error}") from None
        return [line for line in found if isinstance(line, Mapping)]

    def clear(self) -> None:
        """Remove all but the log and ``config.yaml``, so that the run starts over."""
        for path in self.path.iterdir():
            if path.name in {"train.log", "config.yaml"}:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def reopen(self) -> None:
        """Make a finished run an unfinished one again, without the calibration of weights that may change."""
        for name in ("result.json", "calibration.json"):
            (self.path / name).unlink(missing_ok=True)

    def __str__(self) -> str:
        return str(self.path)

    def write_environment(self, facts: Mapping[str, object]) -> None:
        """Write ``environment.json``, the format version and the given facts, and the checksums of what is there."""
        self._write_text("environment.json", _json_text({"format_version": FORMAT_VERSION, **facts}))
        Seal.of_inputs(self.path).write()

    def write_result(self, result: RunResult) -> None:
        """Write the checksums of the whole folder, then ``result.json``, which marks the run as finished."""
        text = _json_text(result.as_dict())
        Seal.of_finished(self.path, text).write()
        self._write_text("result.json", text)

    def append_metrics(self, line: Mapping[str, object]) -> None:
        """Add one line to ``metrics.jsonl``."""
        path = self.path / "metrics.jsonl"
        with explain_storage_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")

    def remove(self) -> None:
        """Remove the folder with its contents."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _write_text(self, name: str, text: str) -> None:
        with whole_file(self.path / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _json_text(values: Mapping[str, object]) -> str:
    """Write plain values as JSON; NaN is an error."""
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def _read_mapping(path: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} must hold JSON, but cannot be read: {error}") from None
    if not isinstance(values, Mapping):
        raise RunError(f"{path} must hold a JSON mapping, but holds {type(values).__name__}")
    return values
