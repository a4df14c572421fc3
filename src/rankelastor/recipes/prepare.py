"""Prepare the data of a recipe file, and remember in the prepared folder that the recipe uses it."""

from __future__ import annotations

from pathlib import Path

from rankelastor.data.fingerprint import relevant_settings
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.settings import DataSettings
from rankelastor.data.used_by import User, add_user
from rankelastor.errors import RankElastorError
from rankelastor.progress import ProgressListener
from rankelastor.recipes.load import load_recipe


def prepare_for(
    recipe: str | Path, settings: DataSettings, *, force: bool = False, progress: ProgressListener | None = None
) -> PreparedDataset:
    """Prepare the data of a recipe file as ``prepare`` does, unless another recipe needs what its folder holds.

    Args:
        recipe: the recipe file; the folder remembers it.
        settings: its data settings, with overrides.
        force: prepare again even if nothing has changed, and replace a folder that others need.
        progress: receives the progress of the work.

    Raises:
        DataError: a raw file is wrong, or another recipe or a run needs the folder as it is.
        SettingsError: the declared fields do not match the files.
        StorageError: the folder cannot be written.
    """
    this = User.of_recipe(recipe)

    def needs(user: User) -> bool:
        return user.kind == "run" or (user != this and _has_other_data(user.path, settings))

    dataset = prepare(settings, force=force, needs=needs, progress=progress)
    add_user(dataset.place, this)
    return dataset


def _has_other_data(recipe: Path, settings: DataSettings) -> bool:
    """Tell whether a recipe file asks for other contents of the prepared folder than these settings."""
    try:
        other = load_recipe(recipe).data
    except RankElastorError:
        return False  # a recipe that cannot be read needs nothing
    moved = Path(other.prepared).is_absolute() and Path(other.prepared).resolve() != Path(settings.prepared).resolve()
    return not moved and relevant_settings(other) != relevant_settings(settings)
