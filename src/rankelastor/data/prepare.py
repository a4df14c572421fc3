"""Prepare raw files into a folder, unless the folder exists and is up to date."""

from __future__ import annotations

import logging
from pathlib import Path

from rankelastor.data.building.build import build
from rankelastor.data.fingerprint import compare
from rankelastor.data.manifest import FORMAT_VERSION, MANIFEST_FILE
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.raw.source_files import find_source_files
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.storage import whole_folder

_logger = logging.getLogger(__name__)


def prepare(
    settings: DataSettings, *, force: bool = False, progress: ProgressListener | None = None
) -> PreparedDataset:
    """Read the raw files once, fit vocabularies and statistics on the train split, write memory-mappable shards.

    A folder made from the same settings and the same contents of the raw files is opened without any work.
    Otherwise a new folder replaces it once complete; on failure no partial output remains. If several processes
    prepare the same folder at once, one works while the others wait and then open its result.

    Args:
        settings: files, format, split, label and fields; ``settings.prepared`` is the folder.
        force: prepare again even if nothing has changed.
        progress: receives the progress of the work.

    Raises:
        DataError: a raw file is missing or wrong; the message names file, column, row and value.
        SettingsError: the declared fields do not match the files.
        StorageError: the folder cannot be written.
    """
    folder = Path(settings.prepared)
    _refuse_foreign_folder(folder)
    if not force and (dataset := _open_if_current(folder, settings)) is not None:
        return dataset
    sources = find_source_files(settings.files)
    with whole_folder(folder) as building:  # waits while another process prepares it
        if not force and (dataset := _open_if_current(folder, settings)) is not None:
            return dataset
        manifest = build(settings, sources, building, progress or SilentProgress())
    rows = ", ".join(f"{name} {split.num_rows:,} rows" for name, split in manifest.splits.items())
    _logger.info("prepared %s: %s", folder, rows)
    return PreparedDataset.open(folder)


def open_or_prepare(settings: DataSettings, *, progress: ProgressListener | None = None) -> PreparedDataset:
    """Open the prepared data set of the settings; prepare it first if its folder does not exist.

    Raises:
        StalePreparedError: the folder exists but was made from other settings or sources.
    """
    if not Path(settings.prepared).exists():
        return prepare(settings, progress=progress)
    return PreparedDataset.open_matching(settings)


def _open_if_current(folder: Path, settings: DataSettings) -> PreparedDataset | None:
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
    if dataset.manifest.format_version != FORMAT_VERSION:
        _logger.warning(
            "%s has format version %d, in which one value may have several spellings (12.0 and 12); "
            "it is used as it is; `rankelastor prepare RECIPE --force` makes a new one",
            folder, dataset.manifest.format_version,
        )  # fmt: skip
    return dataset.with_sources(now.sources)


def _refuse_foreign_folder(folder: Path) -> None:
    """Raise unless the folder, which will be replaced, is new, empty or a prepared folder."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST_FILE).is_file()):
        raise DataError(
            f"data.prepared must be a new folder or one that was prepared before, but {folder} holds other files; "
            "choose another folder"
        )
