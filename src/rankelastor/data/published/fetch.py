"""Fetch a published data set: accept the terms, get the archive, check it, unpack it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rankelastor.data.published.catalogue import PublishedDataset
from rankelastor.data.published.record import RECORD_FILE, AcceptedTerms, FileRecord, Record
from rankelastor.data.published.sources import LocalFolder, choose_source
from rankelastor.data.published.unpack import md5_of, unpack
from rankelastor.errors import DataError
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.storage import explain_storage_errors, whole_folder

_logger = logging.getLogger(__name__)

Accept = Callable[[PublishedDataset], bool]


@dataclass(frozen=True)
class Fetched:
    """A fetched data set: ``was_there`` tells whether the folder held it already."""

    folder: Path
    record: Record
    was_there: bool


def fetch(
    dataset: PublishedDataset,
    folder: str | Path,
    *,
    place: str | None = None,
    accept: Accept,
    progress: ProgressListener | None = None,
) -> Fetched:
    """Download, check and unpack a published data set, unless the folder holds it already.

    The archive, complete or partial, stays in ``.<folder>.download`` beside the folder until the end, so that a later
    call resumes an interrupted one. The folder itself appears only when it is complete.

    Args:
        dataset: the data set, from the catalogue.
        folder: the folder to fill.
        place: the URL of a mirror, or a folder of zips; None: the Hugging Face hub.
        accept: shows the terms of the owner and returns whether they are accepted; not called if they were before.
        progress: receives the progress of the work.

    Raises:
        DataError: the terms are not accepted, the archive cannot be fetched or is not the published one, or the folder
            holds other files.
        StorageError: the folder cannot be written.
    """
    folder, progress = Path(folder), progress or SilentProgress()
    record = Record.read(folder)
    with explain_storage_errors(folder):
        if (complete := _verify_folder(dataset, folder, record, progress)) is not None:
            return Fetched(folder, complete, was_there=True)
        _refuse_foreign_files(dataset, folder, record)
    workplace = folder.resolve().parent / f".{folder.resolve().name}.download"
    source = choose_source(place)
    terms = _accept_terms(dataset, workplace, record, accept)
    with explain_storage_errors(workplace):
        archive = source.archive(dataset, workplace, progress)
    try:
        record = _unpack(dataset, folder, archive, terms, progress, origin=source.place(dataset))
    except DataError:
        if not isinstance(source, LocalFolder):
            archive.unlink(missing_ok=True)  # so that the next call downloads it anew
        raise
    shutil.rmtree(workplace, ignore_errors=True)
    return Fetched(folder, record, was_there=False)


def _verify_folder(
    dataset: PublishedDataset, folder: Path, record: Record | None, progress: ProgressListener
) -> Record | None:
    """Return the record of the folder if it holds the complete data set, else None."""
    paths = [folder / file.name for file in dataset.files]
    if not all(path.is_file() for path in paths):
        return None
    if record is not None and record.dataset == dataset.id and record.still_describes(folder):
        return record
    progress.begin(f"check {dataset.id}", total=sum(path.stat().st_size for path in paths), unit="bytes")
    sums = [md5_of(path, progress) for path in paths]
    progress.end()
    if any(file.md5 not in {None, md5} for file, md5 in zip(dataset.files, sums, strict=True)):
        return None
    files = tuple(
        FileRecord.from_file(path, md5, published=file.md5 is not None)
        for file, path, md5 in zip(dataset.files, paths, sums, strict=True)
    )
    terms = record.terms if record is not None else None
    return Record(dataset=dataset.id, source=record.source if record else None, terms=terms, files=files)


def _refuse_foreign_files(dataset: PublishedDataset, folder: Path, record: Record | None) -> None:
    """Raise unless the folder, which will be replaced, is new, empty, or was fetched before."""
    if folder.is_file():
        raise DataError(f"data sets must go to a folder, but {folder} is a file; choose another folder")
    if not folder.is_dir():
        return
    names = sorted(item.name for item in folder.iterdir())
    ours = {RECORD_FILE, *(file.name for file in dataset.files)} if record else set()
    foreign = [name for name in names if name not in ours]
    if foreign or (record is not None and record.dataset != dataset.id):
        raise DataError(
            f"the folder must be new, empty, or hold {dataset.id} as published, but {folder} holds "
            f"{', '.join((foreign or names)[:8])}; move these away or choose another folder"
        )


def _accept_terms(dataset: PublishedDataset, workplace: Path, record: Record | None, accept: Accept) -> AcceptedTerms:
    """Return the accepted terms; ask if they were not accepted before, and store them beside the folder."""
    before = record.terms if record is not None else AcceptedTerms.read(workplace)
    if before is not None and before.terms == dataset.terms and before.page == dataset.terms_page:
        return before
    if not accept(dataset):
        raise DataError(f"the owner's terms of {dataset.id} must be accepted before it is fetched, but they were not")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    terms = AcceptedTerms(terms=dataset.terms, page=dataset.terms_page, time=now)
    with explain_storage_errors(workplace):
        workplace.mkdir(parents=True, exist_ok=True)
        terms.write(workplace)
    return terms


def _unpack(
    dataset: PublishedDataset,
    folder: Path,
    archive: Path,
    terms: AcceptedTerms,
    progress: ProgressListener,
    *,
    origin: str,
) -> Record:
    published = {file.name for file in dataset.files if file.md5 is not None}
    with whole_folder(folder) as building:
        written = unpack(archive, dataset, building, progress)
        files = tuple(
            FileRecord.from_file(building / file.name, file.md5, published=file.name in published) for file in written
        )
        record = Record(dataset=dataset.id, source=origin, terms=terms, files=files)
        record.write(building)
    _logger.info("fetched %s to %s", dataset.id, folder)
    return record
