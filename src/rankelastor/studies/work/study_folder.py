"""The folder of a study.

.. code-block:: text

    study.json       format_version, and the base recipes by which the study is known again
    results.jsonl    one line a run, see lines.py
    tuning.jsonl     one line a tuning: the space, the budget and every draw
    runs/            run folders, unless the study keeps none
    tuning/          the folders of the tunings
    logs/ prepared/  planted logs, and data that axes change, prepared once for all runs
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rankelastor.errors import RunError, shorten
from rankelastor.identified_folder import held_alone
from rankelastor.storage import whole_file
from rankelastor.studies.plan.grid import Plan
from rankelastor.studies.work.lines import RunLine, read_lines

FORMAT_VERSION = 1
_MOST_NAMED = 6
_SET_ASIDE = ".done"
_ABSENT = object()


class StudyFolder:
    """A folder of a study: its paths, and methods that read and write its files."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def results(self) -> Path:
        """The results."""
        return self.path / "results.jsonl"

    @property
    def tunings(self) -> Path:
        """The records of the tunings."""
        return self.path / "tuning.jsonl"

    def run(self, name: str) -> Path:
        """A run folder."""
        return self.path / "runs" / name

    def set_aside(self, name: str) -> None:
        """Mark a run folder as one that goes when the line of its run is there, see ``sweep``."""
        if self.run(name).is_dir():
            self.run(name).rename(self.run(name + _SET_ASIDE))

    def sweep(self, done: Collection[str]) -> None:
        """Remove run folders that are set aside, wherever the study was killed; those of runs without a line go on.

        Args:
            done: names of the folders of runs that have a line.
        """
        for folder in (self.path / "runs").glob(f"*{_SET_ASIDE}"):
            kept = self.run(folder.name.removesuffix(_SET_ASIDE))
            if kept.name in done or kept.exists():
                shutil.rmtree(folder, ignore_errors=True)
            else:
                folder.rename(kept)

    def held(self) -> AbstractContextManager[None]:
        """Make the folder, and hold it so that no other process runs the study in it, see ``held_alone``."""
        return held_alone(self.path, doing="runs a study")

    def check_lines(self, plan: Plan) -> list[RunLine]:
        """Read the results, and check that they are of this study and of its points as they are now.

        Raises:
            RunError: they are not.
        """
        lines = read_lines(self.results, study=plan.study.name)
        planned = {run.key: run for run in plan.runs}
        for line in lines:
            run = planned.get(line.key)
            if run is not None and (found := _differences(line.changes, _plain(run.changes))):
                self._refuse(f"the point {line.key} has changed since it was run: {_listed(found)}")
        return lines

    def check_identity(self, identity: Mapping[str, Any]) -> None:
        """Check that the folder is of this study, and note what the study is known by.

        A study may grow: recipes, axes and seeds may be added. What has been run must not mean something else now.

        Raises:
            RunError: it is of another study, or a base recipe has changed.
        """
        file = self.path / "study.json"
        identity = _plain(identity)
        known: dict[str, Any] = dict(identity)
        if file.exists():
            known = self._read(file)
            if known.get("study") != identity["study"]:
                self._refuse(f"it holds the study {shorten(known.get('study'))}")
            before = {**known, "recipes": {name: known["recipes"].get(name) for name in identity["recipes"]}}
            now = {**identity, "recipes": {name: identity["recipes"][name] for name in identity["recipes"]}}
            for name, recipe in before["recipes"].items():
                if recipe is None:  # it is new
                    before["recipes"][name] = now["recipes"][name]
            if found := _differences(before, {**now, "format_version": known.get("format_version")}):
                self._refuse(f"what it stands on has changed since its first run: {_listed(found)}")
            known["recipes"] |= identity["recipes"]
        elif self.results.exists():
            return  # results that were brought here
        with whole_file(file) as temporary:
            text = json.dumps({"format_version": FORMAT_VERSION, **known}, indent=1)
            temporary.write_text(text + "\n", encoding="utf-8")

    def _read(self, file: Path) -> dict[str, Any]:
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict) or not isinstance(found.get("recipes"), dict):
            self._refuse("its study.json is damaged")
        assert isinstance(found, dict), "it is one"
        return found

    def _refuse(self, what: str) -> None:
        raise RunError(
            f"a study must go on in its own folder, but of {self.path} {what}; restore it, or run the study in another "
            "folder",
        )


def _plain(values: Any) -> Any:
    return json.loads(json.dumps(values))


def _differences(before: Any, now: Any) -> dict[str, str]:
    """Name the settings that differ, each with both values."""
    old, new = _flat(before), _flat(now)
    return {
        path: f"{path} was {_shown(old.get(path, _ABSENT))} and is {_shown(new.get(path, _ABSENT))}"
        for path in sorted(old.keys() | new.keys())
        if old.get(path, _ABSENT) != new.get(path, _ABSENT)
    }


def _flat(values: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(values, Mapping) or not values:
        return {path: values} if path else {}
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{path}.{key}" if path else str(key))
    return found


def _shown(value: object) -> str:
    return "left out" if value is _ABSENT else shorten(value)


def _listed(found: Mapping[str, str]) -> str:
    named: Sequence[str] = list(found.values())
    more = f"; and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return "; ".join(named[:_MOST_NAMED]) + more
