"""Prepare raw files into a folder, unless the folder exists and is up to date."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from rankelastor.data.building.build import build
from rankelastor.data.building.former_days import FormerDays
from rankelastor.data.fingerprint import compare
from rankelastor.data.manifest import (
    MANIFEST_FILE,
    RARE_FOLDER,
    TAKEN_FILE,
    VECTOR_FOLDER,
    VOCABULARY_FOLDER,
    Manifest,
)
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.raw.source_files import find_source_files
from rankelastor.data.settings import DataSettings
from rankelastor.data.used_by import User, copy_users, join_users, users_of
from rankelastor.errors import FORCE, DataError, SettingsError
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
    extend: str | Path | None = None,
    force: bool = False,
    needs: Callable[[User], bool] = _is_run,
    executor: str | None = None,
    progress: ProgressListener | None = None,
) -> PreparedDataset:
    """Read the raw files once, fit vocabularies and statistics on the train split, write memory-mappable shards.

    A folder made from the same settings and the same contents of the raw files is opened without any work.
    Otherwise a new folder replaces it once complete; on failure no partial output remains. If several processes
    prepare the same folder at once, one works while the others wait and then open its result.

    Args:
        settings: files, format, split, label and fields; ``settings.prepared`` is the folder.
        extend: the prepared folder of the day before: the files are those of a further day. Known values keep their
            ids, new ones get ids behind them, counts grow, and all other statistics stay. It is not changed.
        force: prepare again even if nothing has changed, and replace a folder that others need.
        executor: who does the work: None or ``local``, the threads of this process; ``ray``, the Ray cluster that
            ``RAY_ADDRESS`` names, or one on this machine; ``ray://HOST:PORT``, that cluster. The result is the same.
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
    former = None if extend is None else _former_days(folder, extend, settings)
    base = None if former is None else former.base
    if not force and (dataset := _open_if_current(folder, settings, base)) is not None:
        if isinstance(folder, Path):
            remove_leftovers(folder)
        return dataset
    sources = find_source_files(settings.files)
    with whole_folder(folder, last=MANIFEST_FILE) as building:  # waits while another process prepares it
        if not force and (dataset := _open_if_current(folder, settings, base)) is not None:
            return dataset
        before = _read_manifest(folder)
        _heed_chain(folder, before, is_extended=former is not None, force=force)
        _heed_users(folder, before, settings, needs=needs, force=force)
        manifest = build(settings, sources, building, progress or SilentProgress(), former=former, executor=executor)
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


def _former_days(folder: AnyPath, extend: str | Path, settings: DataSettings) -> FormerDays:
    """Read the state of the folder to extend, which must be another one.

    Raises:
        SettingsError: it is the folder to be written, or was read by other settings.
        DataError: it cannot be extended.
    """
    former = place_of(extend, what="the folder to extend", error=DataError)
    if folder.resolve() == former.resolve():
        raise SettingsError(
            f"a further day must be prepared into a folder of its own, but data.prepared is {extend}, which it "
            "extends; name another one in data.prepared"
        )
    return FormerDays.read(former, settings)


def _heed_chain(folder: AnyPath, before: Manifest | None, *, is_extended: bool, force: bool) -> None:
    """Raise if a folder that holds a further day would be replaced by one that knows no days before."""
    if before is None or before.extension is None or is_extended or force:
        return
    raise DataError(
        f"{folder} must not be prepared from scratch, because it extends the folder of a day before, whose ids and "
        f"counts would be lost; prepare it as an extension of that one, or replace it all the same, by {FORCE}",
        python=FORCE,
    )


def _open_if_current(folder: AnyPath, settings: DataSettings, base: str | None) -> PreparedDataset | None:
    if not folder.exists():
        return None
    try:
        dataset = PreparedDataset.open(folder)
    except DataError as error:
        _logger.info("preparing again: %s", error)
        return None
    extension = dataset.manifest.extension
    if base is not None and (extension is None or extension.base != base):
        _logger.info("preparing %s again: it extends another folder", folder)
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
    return set(names) <= {VOCABULARY_FOLDER, VECTOR_FOLDER, RARE_FOLDER, TAKEN_FILE, *SPLITS}
