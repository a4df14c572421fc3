"""Prepare raw files into a folder, unless the folder exists and is up to date."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from rankelastor.data.building.build import build
from rankelastor.data.fingerprint import compare
from rankelastor.data.manifest import MANIFEST_FILE, VECTOR_FOLDER, VOCABULARY_FOLDER, Manifest
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.raw.source_files import find_source_files
from rankelastor.data.settings import DataSettings
from rankelastor.data.used_by import User, copy_users, join_users, users_of
from rankelastor.errors import FORCE, DataError
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.remote.remote_path import AnyPath, RemotePath, place_of
from rankelastor.schema import SPLITS
from rankelastor.storage import remove_leftovers, whole_folder

_logger = logging.getLogger(__name__)
_SEVERAL_SPELLINGS = 1


def _is_run(user: User) -> bool:
    return user.kind == "run"


def prepare(
    settings: DataSettings,
    *,
    force: bool = False,
    needs: Callable[[User], bool] = _is_run,
    progress: ProgressListener | None = None,
) -> PreparedDataset:
    """Read the raw files once, fit vocabularies and statistics on the train split, write memory-mappable shards.

    A folder made from the same settings and the same contents of the raw files is opened without any work.
    Otherwise a new folder replaces it once complete; on failure no partial output remains. If several processes
    prepare the same folder at once, one works while the others wait and then open its result.

    Args:
        settings: files, format, split, label and fields; ``settings.prepared`` is the folder.
        force: prepare again even if nothing has changed, and replace a folder that others need.
        needs: tells of each user of an existing folder (data/used_by.py) whether it needs the folder as it is.
        progress: receives the progress of the work.

    Raises:
        DataError: a raw file is missing or wrong (the message names file, column, row and value), or a run that was
            trained on the folder needs it as it is.
        SettingsError: the declared fields do not match the files.
        StorageError: the folder cannot be written.
        RemoteError: an address cannot be reached.
    """
    folder = place_of(settings.prepared, what="data.prepared", error=DataError)
    _refuse_foreign_folder(folder)
    if not force and (dataset := _open_if_current(folder, settings)) is not None:
        if isinstance(folder, Path):
            remove_leftovers(folder)
        return dataset
    sources = find_source_files(settings.files)
    with whole_folder(folder, last=MANIFEST_FILE) as building:  # waits while another process prepares it
        if not force and (dataset := _open_if_current(folder, settings)) is not None:
            return dataset
        before = _read_manifest(folder)
        _heed_users(folder, before, settings, needs=needs, force=force)
        manifest = build(settings, sources, building, progress or SilentProgress())
        if before is not None and before.fingerprint == manifest.fingerprint:
            copy_users(folder, building)
    rows = ", ".join(f"{name} {split.num_rows:,} rows" for name, split in manifest.splits.items())
    _logger.info("prepared %s: %s", folder, rows)
    return PreparedDataset.open(folder)


def open_or_prepare(settings: DataSettings, *, progress: ProgressListener | None = None) -> PreparedDataset:
    """Open the prepared data set of the settings; prepare it first if its folder does not exist.

    Raises:
        StalePreparedError: the folder exists but was made from other settings or sources.
    """
    if not place_of(settings.prepared, what="data.prepared", error=DataError).exists():
        return prepare(settings, progress=progress)
    return PreparedDataset.open_matching(settings)


def _read_manifest(folder: AnyPath) -> Manifest | None:
    try:
        return Manifest.read(folder)
    except DataError:
        return None


def _heed_users(
    folder: AnyPath, before: Manifest | None, settings: DataSettings, *, needs: Callable[[User], bool], force: bool
) -> None:
    """Raise if the folder would get other contents than its users need; with ``force``, warn of that."""
    users = [user for user in users_of(folder) if needs(user)]
    if before is None or not users or not (changes := compare(before, settings).differences):
        return
    what = f"{join_users(users)} {'needs' if len(users) == 1 else 'need'} it as it is"
    if force:
        _logger.warning("%s is replaced, although %s", folder, what)
        return
    raise DataError(
        f"{folder} must not be replaced, because {what}, but {'; '.join(changes)}. Try another data.prepared, or "
        f"replace it all the same, by {FORCE}; a run can then predict, but not be evaluated",
        python=FORCE,
    )


def _open_if_current(folder: AnyPath, settings: DataSettings) -> PreparedDataset | None:
    if not folder.exists():
        return None
    try:
        dataset = PreparedDataset.open(folder)
    except DataError as error:
        _logger.info("preparing again: %s", error)
        return None
    now = compare(dataset.manifest, settings)
    if now.differences:
        _logger.info("preparing %s again: %s", folder, "; ".join(now.differences))
        return None
    _logger.info("%s is up to date: nothing to prepare", folder)
    if dataset.manifest.format_version == _SEVERAL_SPELLINGS:
        _logger.warning(
            "%s has format version %d, in which one value may have several spellings (12.0 and 12); "
            "it is used as it is; preparing it again by force makes a new one",
            folder, dataset.manifest.format_version,
        )  # fmt: skip
    return dataset.with_sources(now.sources)


def _refuse_foreign_folder(folder: AnyPath) -> None:
    """Raise unless the folder, which will be replaced, is new, empty or a prepared folder."""
    if isinstance(folder, RemotePath):
        names = folder.names()
        is_foreign = folder.is_file() or (bool(names) and MANIFEST_FILE not in names and not _is_unfinished(names))
        if not names:
            folder.require_bucket()
    else:
        is_foreign = folder.is_file() or (
            folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST_FILE).is_file()
        )
    if is_foreign:
        raise DataError(
            f"data.prepared must be a new folder or one that was prepared before, but {folder} holds other files; "
            "choose another folder"
        )


def _is_unfinished(names: list[str]) -> bool:
    """Tell whether a folder at an address is what a killed process left of a prepared folder."""
    return set(names) <= {VOCABULARY_FOLDER, VECTOR_FOLDER, *SPLITS}
