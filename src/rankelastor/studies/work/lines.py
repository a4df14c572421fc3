"""The lines of ``results.jsonl``: one for each run, finished or failed, with all that repeats it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from rankelastor.errors import RunError
from rankelastor.storage import explain_storage_errors
from rankelastor.studies.plan.settings import RECIPE_AXIS

FORMAT_VERSION = 1
Status = Literal["finished", "failed"]


@dataclass(frozen=True)
class RunLine:
    """One run of a study.

    Attributes:
        study: name of the study.
        key: name of the run in the study.
        point: the value of each axis.
        seed: seed of the training.
        status: whether it finished or failed.
        changes: what axes changed of the base recipe and of the log, by path.
        reason: why it failed.
        chosen: settings that were chosen to match a number of parameters.
        settings: the whole recipe, resolved; of absolute paths the last name.
        log: settings of the planted log.
        best_possible: the best AUC and logloss of the log by split.
        environment: commit, versions, processor, device and threads.
        data_fingerprint: what the prepared data were made from.
        num_train_rows: rows that training learned from.
        cost: parameters and FLOPs, see ``Cost``.
        metrics: metrics by split.
        ranks: mean rank over test examples, by measure and stage.
        epochs: number of epochs trained.
        best_epoch: epoch of the best evaluation.
        examples_per_second: speed of the training.
        seconds: wall time of the run, its test included.
        format_version: version of the line.
    """

    study: str
    key: str
    point: Mapping[str, str]
    seed: int
    status: Status
    changes: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    log: Mapping[str, Any] | None = None
    best_possible: Mapping[str, Mapping[str, float]] | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    data_fingerprint: str | None = None
    num_train_rows: int | None = None
    cost: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ranks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    epochs: int | None = None
    best_epoch: int | None = None
    examples_per_second: float | None = None
    seconds: float = 0.0
    format_version: int = FORMAT_VERSION

    @property
    def recipe(self) -> str:
        """The base recipe."""
        return self.point[RECIPE_AXIS]

    @property
    def is_finished(self) -> bool:
        """Whether it has results."""
        return self.status == "finished"

    def metric(self, name: str, split: str = "test") -> float | None:
        """Return a metric of a split; None where it is not defined."""
        value = self.metrics.get(split, {}).get(name)
        return float(value) if isinstance(value, int | float) else None

    def as_json(self) -> str:
        """Write the line, without what is not there."""
        values = {name: value for name, value in asdict(self).items() if value not in (None, {})}
        return json.dumps(values, allow_nan=False)


def read_lines(path: Path, *, study: str) -> list[RunLine]:
    """Read a results file; of a run that stands there twice the last line counts.

    A last line without a line end was not finished by a killed process, and is left out.

    Raises:
        RunError: a line is wrong, or belongs to another study.
    """
    if not path.is_file():
        return []
    *lines, _unfinished = path.read_text(encoding="utf-8", errors="replace").split("\n")
    found: dict[str, RunLine] = {}
    for number, text in enumerate(lines, 1):
        if text.strip():
            line = _read(text, place=f"{path}, line {number}")
            if line.study != study:
                raise RunError(
                    f"{path} must hold results of the study {study}, but line {number} is of {line.study}; give each "
                    "study a file of its own"
                )
            found[line.key] = line
    return list(found.values())


def append_line(path: Path, line: RunLine) -> None:
    """Add a line, which reaches the disk before this returns; an unfinished line before it is removed.

    Raises:
        StorageError: the file cannot be written.
    """
    with explain_storage_errors(path), path.open("a+b") as file:
        _cut_unfinished_line(file.fileno(), path)
        file.write(line.as_json().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def count_failed(lines: Sequence[RunLine]) -> int:
    """Count the runs that failed."""
    return sum(not line.is_finished for line in lines)


def without_places(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the settings of a recipe with the last name of absolute paths, which differ from machine to machine.

    Example:
        >>> without_places({"data": {"prepared": "/big/prepared/log", "label": "click"}})
        {'data': {'prepared': 'log', 'label': 'click'}}
    """
    copied: dict[str, Any] = json.loads(json.dumps(settings))
    data = copied.get("data", {})
    for holder, name in ((data, "prepared"), (data.get("files", {}), "folder")):
        if isinstance(holder.get(name), str) and Path(holder[name]).is_absolute():
            holder[name] = Path(holder[name]).name
    return copied


def _cut_unfinished_line(descriptor: int, path: Path) -> None:
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        os.ftruncate(descriptor, content.rfind(b"\n") + 1)


def _read(text: str, *, place: str) -> RunLine:
    try:
        line = _LINE.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(key) for key in first["loc"])
        raise RunError(f"{place} must be a run of a study, but {where or 'it'}: {first['msg'].lower()}") from None
    if line.format_version > FORMAT_VERSION:
        raise RunError(
            f"{place} must have format_version {FORMAT_VERSION} or lower, but has {line.format_version}: a newer "
            "version of rankelastor wrote it; update rankelastor"
        )
    if RECIPE_AXIS not in line.point:
        raise RunError(f"{place} must name its recipe in `point`, but does not")
    return line


_LINE = TypeAdapter(RunLine)
