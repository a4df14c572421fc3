"""The folder of a tuning.

.. code-block:: text

    tune.json     the recipe, the space, the seed and the data, by which a tuning is known again
    journal.log   the trials, see tuning/journal.py
    trials/       run folders of the best trials, `000` for the recipe as it stands; their test split is not scored
    best.yaml     the recipe with the settings of the best trial
    average-K/    run folder of the ensemble of the K best trials, if one was asked for
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rankelastor.identified_folder import IdentifiedFolder
from rankelastor.recipes.load import dump_yaml
from rankelastor.recipes.recipe import Recipe
from rankelastor.storage import whole_file
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
        """The run folder of the ensemble of the best ``number`` trials."""
        return self.path / f"average-{number}"

    def opened(self, identity: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Make the folder, or check that it holds the same tuning, and hold it, see ``IdentifiedFolder``.

        Args:
            identity: recipe, space, seed and data as plain values.
        """
        return IdentifiedFolder(self.path, "tune.json", FORMAT_VERSION, what="tuning", doing="tunes").opened(identity)

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


def identity_of(recipe: Recipe, space: Space, *, seed: int, fingerprint: str) -> dict[str, Any]:
    """Collect what a tuning is known by; how steps are computed and saved does not count."""
    values = recipe.model_dump(mode="json")
    for setting in ("execution", "checkpoint"):
        values["training"].pop(setting, None)
    return {"recipe": values, "space": space.as_dict(), "seed": seed, "data": fingerprint}
