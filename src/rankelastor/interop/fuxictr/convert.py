"""Convert an experiment of FuxiCTR to a recipe, with notes on everything that has no equal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rankelastor.data.building.sketch import sketched_schema
from rankelastor.errors import SettingsError
from rankelastor.interop.fuxictr.columns import data_fields, label_column
from rankelastor.interop.fuxictr.files import data_files, note_rest_of_files
from rankelastor.interop.fuxictr.notes import OUTCOMES, FuxiCtrSettings, Note
from rankelastor.interop.fuxictr.protocol import protocol
from rankelastor.interop.fuxictr.ranker import PUBLISHED_MODEL, ranker
from rankelastor.interop.fuxictr.reading import Experiment, read_experiment
from rankelastor.interop.fuxictr.zoo import ZOO_MODELS
from rankelastor.models.cost import unfilled_ranker
from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.plain_yaml import plain_yaml_text
from rankelastor.recipes.recipe import Recipe


@dataclass(frozen=True)
class Imported:
    """An imported experiment: a recipe as plain values, and the notes."""

    experiment: Experiment
    values: dict[str, Any]
    notes: tuple[Note, ...]

    @property
    def recipe(self) -> Recipe:
        """Validated recipe."""
        return recipe_from_values(self.values, source=f"the recipe made of {self.experiment.expid}")

    def text(self) -> str:
        """Write the recipe as YAML, with the notes as comments at the top."""
        return f"{self._comments()}\n{plain_yaml_text(self.values)}"

    def _comments(self) -> str:
        lines = [f"FuxiCTR's experiment {self.experiment.expid} on the data set {self.experiment.dataset_id}."]
        for outcome, heading in OUTCOMES.items():
            notes = [note for note in self.notes if note.outcome == outcome]
            lines += [f"{heading[0].upper()}{heading[1:]}:"] if notes else []
            for note in notes:
                line = f"{note.setting}: {note.value} - {note.text}"
                lines += textwrap.wrap(line, 114, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
        return "\n".join(f"# {line}" for line in lines)


def import_experiment(folder: str | Path, expid: str) -> Imported:
    """Turn an experiment of FuxiCTR into a recipe.

    Args:
        folder: FuxiCTR's folder of settings: ``model_config.yaml`` and ``dataset_config.yaml``, or folders of several.
        expid: name of the experiment in the model's settings.

    Raises:
        SettingsError: the experiment does not exist, or has a setting that FuxiCTR or the import does not allow.
    """
    experiment = read_experiment(folder, expid)
    model, dataset = FuxiCtrSettings(experiment.model), FuxiCtrSettings(experiment.dataset)
    training = protocol(model)
    ranks = ranker(model)
    files = data_files(dataset, seed=training["seed"])
    fields = data_fields(dataset, model, folder=files["files"]["folder"], embedding_dim=ranks["embedding_dim"])
    data = {"prepared": f"prepared/{experiment.dataset_id}", **files, "label": label_column(dataset), "fields": fields}
    note_rest_of_files(dataset)
    _note_rest(model, dataset)
    values = {"name": _run_name(expid), "data": data, "model": ranks, "training": training}
    imported = Imported(experiment, values, (*model.notes, *dataset.notes))
    assert imported.recipe.name == values["name"]
    return replace(imported, notes=(*_notes_on_sizes(imported.recipe), *imported.notes))


def _notes_on_sizes(recipe: Recipe) -> Iterator[Note]:
    """Build the ranker for a sketch of the fields, so that sizes that do not fit these are said at once."""
    schema = sketched_schema(recipe.data)
    if schema is None:
        return
    try:
        unfilled_ranker(recipe.model, schema)
    except SettingsError as error:
        yield Note("cannot work", "model", recipe.model.kind, str(error))


def _note_rest(model: FuxiCtrSettings, dataset: FuxiCtrSettings) -> None:
    name = model.take("model")
    if name == PUBLISHED_MODEL or name in ZOO_MODELS:
        model.note_rest("ignored by FuxiCTR", f"{name} accepts any setting and does not read this one")
    else:
        model.note_rest("no equal", f"it belongs to {name}")
    for repeated in model.values.keys() & dataset.values.keys():
        dataset.take(repeated)
    dataset.note_rest("ignored by FuxiCTR", "FuxiCTR 2.3.1 does not read it in a data set")


def _run_name(expid: str) -> str:
    """Make a folder name from the name of the experiment."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", expid).lstrip("._-") or "imported"
