"""The folder of a tuning.

.. code-block:: text

    tune.json     the recipe, the space, the seed and the data, by which a tuning is known again
    journal.log   the trials, see tuning/journal.py
    trials/       run folders of the best trials, `000` for the recipe as it stands; their test split is not scored
    best.yaml     the recipe with the settings of the best trial
    average-K/    run folder of the ensemble of the K best trials, if one was asked for
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rankelastor.errors import RUN_FOLDER, RunError
from rankelastor.folder_lock import try_to_hold
from rankelastor.recipes.load import dump_yaml
from rankelastor.recipes.recipe import Recipe
from rankelastor.storage import explain_storage_errors, whole_file
from rankelastor.tuning.record import TrialRecord
from rankelastor.tuning.space import Space

FORMAT_VERSION = 1


class TuneFolder:
    """A folder of a tuning: its paths, and methods that read and write its files."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def journal(self) -> Path:
        """The journal."""
        return self.path / "journal.log"

    @property
    def best(self) -> Path:
        """The recipe of the best trial."""
        return self.path / "best.yaml"

    def trial(self, index: int) -> Path:
        """The run folder of a trial."""
        return self.path / "trials" / f"{index:03d}"

    def average(self, number: int) -> Path:
        """The run folder of the ensemble of so many trials."""
        return self.path / f"average-{number}"

    @contextmanager
    def opened(self, identity: dict[str, Any]) -> Iterator[None]:
        """Make the folder, or check that it holds the same tuning, and hold it so that no other process writes it.

        Args:
            identity: recipe, space, seed and data as plain values.

        Raises:
            RunError: the folder holds something else, or another process tunes in it.
        """
        with explain_storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        holder = try_to_hold(self.path)
        if holder is None:
            raise RunError(f"{self.path} must be written by one process at a time, but another one tunes in it now")
        try:
            self._check(identity)
            yield
        finally:
            os.close(holder)

    def keep_runs(self, indices: Collection[int]) -> None:
        """Remove the run folders of all trials but these."""
        kept = {self.trial(index) for index in indices}
        for run in (self.path / "trials").glob("*"):
            if run not in kept:
                shutil.rmtree(run)

    def write_best(self, recipe: Recipe, best: TrialRecord, *, reasons: str) -> None:
        """Write the recipe of the best trial, with what it got in comments."""
        figures = ", ".join(f"{name} {best.metrics[name]:.6f}" for name in ("auc", "logloss") if name in best.metrics)
        changed = "".join(f"#   {name}: {value}\n" for name, value in best.drawn.items())
        head = f"# Trial {best.index} of `rankelastor tune`: {figures} on the valid split. {reasons}\n"
        what = f"# It changed:\n{changed}" if changed else "# It is the recipe as it stood: no trial was better.\n"
        with whole_file(self.best) as temporary:
            temporary.write_text(f"{head}{what}{dump_yaml(recipe)}", encoding="utf-8")

    def _check(self, identity: dict[str, Any]) -> None:
        file = self.path / "tune.json"
        identity = json.loads(json.dumps({"format_version": FORMAT_VERSION, **identity}))
        if not file.exists():
            if any(self.path.iterdir()):
                self._refuse("holds something else")
            with whole_file(file) as temporary:
                temporary.write_text(json.dumps(identity, indent=2) + "\n", encoding="utf-8")
            return
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict):
            self._refuse("has a damaged tune.json")
        differ = [name for name in identity if found.get(name) != identity[name]]
        if differ:
            self._refuse(f"holds a tuning with another {' and '.join(differ)}")

    def _refuse(self, what: str) -> None:
        raise RunError(
            f"a tuning must go on in its own folder or begin in a new one, but {self.path} {what}; remove it, or name "
            f"another with {RUN_FOLDER}",
            python=RUN_FOLDER,
        )


def identity_of(recipe: Recipe, space: Space, *, seed: int, fingerprint: str) -> dict[str, Any]:
    """Collect what a tuning is known by; how steps are computed and saved does not count."""
    values = recipe.model_dump(mode="json")
    for setting in ("execution", "checkpoint"):
        values["training"].pop(setting, None)
    return {"recipe": values, "space": space.as_dict(), "seed": seed, "data": fingerprint}
