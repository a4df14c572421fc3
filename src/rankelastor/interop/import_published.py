"""Make a run folder of a checkpoint that was trained with the published code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepare import open_or_prepare
from rankelastor.data.prepared import PreparedDataset, copy_feature_state
from rankelastor.data.used_by import User, add_user
from rankelastor.errors import SettingsError
from rankelastor.interop.checkpoint import Checkpoint, read_checkpoint
from rankelastor.interop.fuxictr.convert import Imported, import_experiment
from rankelastor.interop.fuxictr.notes import FuxiCtrSettings, Note
from rankelastor.interop.fuxictr.ranker import PUBLISHED_MODEL, published_settings
from rankelastor.interop.fuxictr.reading import Experiment, experiments_in, read_experiment
from rankelastor.interop.fuxictr.vocabularies import FittedFeature, has_fitted_features, read_fitted_features
from rankelastor.interop.imported_rows import MatchedValues, copy_rows
from rankelastor.interop.published import translate_state
from rankelastor.models.build import build_ranker
from rankelastor.models.ranker import Ranker
from rankelastor.recipes.load import load_recipe, recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.environment import describe_environment
from rankelastor.runs.run_folder import RunFolder
from rankelastor.runs.weights import save_weights
from rankelastor.storage import explain_storage_errors

_TEXT_TYPES = {"str", str}


@dataclass(frozen=True)
class ImportedRun:
    """A run folder that was made of a checkpoint.

    Attributes:
        folder: the run folder.
        recipe: its recipe: our data, the published model and training.
        notes: settings that have no equal, that FuxiCTR ignores, or that mean something else here.
        matched: how the values of each field match.
    """

    folder: Path
    recipe: Recipe
    notes: tuple[Note, ...]
    matched: tuple[MatchedValues, ...]


def import_published(
    checkpoint: str | Path, *, settings: str | Path, data: str | Path, run: str | Path, expid: str | None = None
) -> ImportedRun:
    """Turn a checkpoint of the published code into a run folder that evaluates, predicts and shows its spectrum.

    The rows of embeddings are brought into the order of our vocabularies, value by value. The data of the recipe are
    prepared if they are not.

    Args:
        checkpoint: what the published code saved, a file of tensors.
        settings: FuxiCTR's folder of settings, with ``feature_map.json`` and ``feature_vocab.json`` in it, or in the
            folder ``data_root/dataset_id`` that the settings name.
        data: a recipe whose data are those of the checkpoint, its fields in the same order.
        run: the run folder, which must be new.
        expid: name of the experiment; None where the settings hold one alone.

    Raises:
        SettingsError: a file is missing or wrong, a setting has no equal, or checkpoint, settings and data do not fit.
        RunError: the run folder exists.
        DataError: the raw files are wrong.
    """
    expid = expid or _only_experiment(settings)
    _check_model(read_experiment(settings, expid))
    imported = import_experiment(settings, expid)
    tensors = read_checkpoint(checkpoint)
    features = read_fitted_features(_folder_of_features(Path(settings), imported))
    ours = load_recipe(data)
    recipe = _recipe(ours, imported)
    dataset = open_or_prepare(recipe.data)
    ranker, matched = _ranker(recipe, dataset, tensors, features, imported)
    _write(RunFolder.create(run, recipe), ranker, dataset, recipe, checkpoint=Path(checkpoint))
    return ImportedRun(Path(run), recipe, imported.notes, matched)


def _only_experiment(settings: str | Path) -> str:
    names = experiments_in(settings)
    if len(names) != 1:
        raise SettingsError(f"expid must name one of the experiments of {settings}: {', '.join(names)}; none was given")
    return names[0]


def _check_model(experiment: Experiment) -> None:
    name = experiment.model.get("model")
    if name != PUBLISHED_MODEL:
        raise SettingsError(
            f"the checkpoint's model must be {PUBLISHED_MODEL}, the published code's, but {experiment.expid} has "
            f"{name!r}; `rankelastor import-fuxictr` makes a recipe of it"
        )


def _folder_of_features(settings: Path, imported: Imported) -> Path:
    root = imported.experiment.dataset.get("data_root")
    places = [settings, *([] if root is None else [Path(str(root)) / imported.experiment.dataset_id])]
    return next((place for place in places if has_fitted_features(place)), settings)


def _recipe(ours: Recipe, imported: Imported) -> Recipe:
    """Join our data with the published model and training."""
    values = ours.model_dump(mode="json")
    training = imported.recipe.training.model_dump(mode="json")
    return recipe_from_values(
        {
            "name": imported.values["name"],
            "data": values["data"],
            "model": imported.values["model"],
            "training": training,
        },
        source=f"the recipe of {imported.experiment.expid}",
    )


def _ranker(
    recipe: Recipe,
    dataset: PreparedDataset,
    tensors: Checkpoint,
    features: tuple[FittedFeature, ...],
    imported: Imported,
) -> tuple[Ranker, tuple[MatchedValues, ...]]:
    ranker = build_ranker(recipe.model, dataset.schema).eval()
    encoder = RowEncoder.load(dataset.place)
    blanks = _blanks(imported.experiment.dataset)
    matched = copy_rows(ranker.embedding, encoder, features, tensors.embeddings, blanks=blanks)
    published = published_settings(FuxiCtrSettings(imported.experiment.model), recipe.model.embedding_dim)
    state = {name: tensor.numpy() for name, tensor in tensors.network.items()}
    try:
        ranker.network.load_state_dict(
            translate_state(state, {**published, "num_fields": dataset.schema.num_fields}), strict=True
        )
    except RuntimeError as error:
        raise SettingsError(f"the tensors of the checkpoint must fit their settings, but {error}") from error
    return ranker, matched


def _blanks(dataset: Mapping[str, Any]) -> dict[str, str]:
    """Say what FuxiCTR puts in the place of a blank: 0 in columns of numbers, unless ``fill_na`` says otherwise."""
    blanks: dict[str, str] = {}
    for column in dataset.get("feature_cols", []):
        names = column["name"] if isinstance(column["name"], list) else [column["name"]]
        fill = column.get("fill_na", "" if column.get("dtype", "str") in _TEXT_TYPES else "0")
        blanks |= {str(name): str(fill) for name in names}
    return blanks


def _write(run: RunFolder, ranker: Ranker, dataset: PreparedDataset, recipe: Recipe, *, checkpoint: Path) -> None:
    try:
        with explain_storage_errors(run.features):
            copy_feature_state(dataset.place, run.features)
        run.write_environment(
            {
                **describe_environment(torch.device("cpu")),
                "precision": "fp32",
                "seed": recipe.training.seed,
                "data_fingerprint": dataset.fingerprint,
                "prepared": str(dataset.place.resolve()),
                "imported_from": str(checkpoint.resolve()),
            }
        )
        save_weights(ranker, run.best_weights)
    except BaseException:
        run.remove()
        raise
    add_user(dataset.place, User.of_run(run.path))
