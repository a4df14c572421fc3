"""Make a bundle of a run: one file that scores, describes itself and can be checked, on any machine."""

from __future__ import annotations

import logging
import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

import rankelastor
from rankelastor.bundles.card import card_text
from rankelastor.bundles.examples import NUM_EXAMPLES, rows_of_recipe, score_rows, take_rows, write_rows
from rankelastor.bundles.findings import Findings, find_out
from rankelastor.bundles.staging import seal, stage_run
from rankelastor.calibration.calibration import Calibration
from rankelastor.checksums import checksums_below
from rankelastor.data.raw.inputs import Table
from rankelastor.errors import OVERWRITE, DataError, RunError, SettingsError, StorageError
from rankelastor.places import in_full
from rankelastor.progress import ProgressListener
from rankelastor.runs.bundle_file.archive import is_bundle, write_archive
from rankelastor.runs.bundle_file.example_rows import find_excess
from rankelastor.runs.bundle_file.index import CARD_FILE, EXAMPLE_ROWS, EXAMPLE_SCORES, RUN_FOLDER_NAME, BundleIndex
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.storage import explain_storage_errors, whole_file

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BundleOptions:
    """What goes into a bundle.

    Attributes:
        with_examples: whether example rows with their probabilities are put in.
        hash_vocabularies: whether hashes take the place of the values of vocabularies; example rows are then left out.
            What has hashes already keeps them.
        sampled_negatives: share of the rows with label 0 that the log of the training still held; None: all.
        measure: whether intervals of the metrics and the spectrum are computed for the card from the prepared data.
    """

    with_examples: bool = True
    hash_vocabularies: bool = False
    sampled_negatives: float | None = None
    measure: bool = True


def bundle_run(
    run: str | Path,
    target: str | Path,
    *,
    rows: Table | None = None,
    options: BundleOptions | None = None,
    overwrite: bool = False,
    progress: ProgressListener | None = None,
) -> BundleIndex:
    """Write a finished run, with the members of an ensemble, to one file.

    Args:
        run: the run folder, or a bundle to be made anew.
        target: the file to write, such as ``model.rank``.
        rows: where the example rows are taken from: its first 100; None takes those of the run's raw files, and leaves
            the examples out, with a warning, where these are gone. Those of a bundle are its own.
        options: what goes in; None is everything.
        overwrite: whether to replace an existing file.
        progress: receives the progress of what is measured for the card.

    Returns:
        The index of the bundle.

    Example:
        >>> from rankelastor import bundle_run
        >>> # bundle_run("runs/frappe-rankelastor", "model.rank")

    Raises:
        RunError: the run folder cannot be used, or the run has not finished.
        SettingsError: the share of sampled negatives is not above 0 and at most 1, the run knows one already, or has
            several labels; or rows were given whose values the hashes of the vocabularies hide.
        DataError: the rows cannot be read.
        StorageError: the file exists, or cannot be written; no partial file is left.
    """
    options = options or BundleOptions()
    target = Path(target)
    refuse_target(target, overwrite=overwrite)
    loaded = load_run(run)
    if not RunFolder(loaded.folder).has_result:
        raise RunError(f"a bundle must be made of a finished run, but {run} was stopped early; train it to its end")
    if loaded.encoder.manifest.vocabulary_salt is not None:
        options = replace(options, hash_vocabularies=True)
    shift = _logit_shift(loaded, options.sampled_negatives)
    examples = _examples(loaded, rows, options)
    findings = find_out(loaded, measure=options.measure, progress=progress)
    with explain_storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with explain_storage_errors(target), tempfile.TemporaryDirectory(prefix="rankelastor-bundle-") as temporary:
        folder = Path(temporary)
        staged = _stage(loaded, folder, shift, options)
        num_examples = _write_examples(staged, examples, folder)
        index = BundleIndex(
            name=loaded.recipe.name,
            model=loaded.recipe.model.kind,
            version=rankelastor.__version__,
            num_examples=num_examples,
            hashed_vocabularies=options.hash_vocabularies,
            files={},
        )
        _write_card(staged, index, findings, options, folder)
        files = [path for path in folder.rglob("*") if path.is_file()]
        index = replace(index, files=checksums_below(folder, files))
        with whole_file(target) as file:
            write_archive(file, index, folder)
    return index


def refuse_target(target: Path, *, overwrite: bool) -> None:
    """Check that a bundle may be written to a file: a new one, or with ``overwrite`` another bundle.

    Raises:
        StorageError: it is a folder, or exists and may not be replaced.
    """
    if target.is_dir():
        raise StorageError(
            f"a bundle must be a file, but {in_full(target)} is a folder; name a file, such as model.rank"
        )
    if target.exists() and not overwrite:
        raise StorageError(
            f"a bundle must be a new file, but {in_full(target)} exists; try {OVERWRITE} to replace it",
            python=OVERWRITE,
        )
    if target.exists() and not is_bundle(target):
        raise StorageError(
            f"a bundle can replace a bundle alone, but {in_full(target)} is another file; remove it, or name another"
        )


def _logit_shift(run: LoadedRun, rate: float | None) -> float:
    """Return what restores the odds of a log whose negatives were thinned: log(rate) is added to each logit."""
    if rate is None:
        return 0.0
    if not 0 < rate <= 1:
        raise SettingsError(
            f"the share of sampled negatives must be above 0 and at most 1, but {rate} was given; try .1 where one "
            "negative in ten was kept"
        )
    tasks = run.encoder.schema.tasks
    if len(tasks) > 1:
        raise SettingsError(
            f"the share of sampled negatives needs a single label, but {run.source} has {len(tasks)}: rows that are "
            "negative for one may be positive for another; leave it out"
        )
    known = run.recipe.data.negatives_kept
    if known < 1 or run.calibration.offset:
        raise SettingsError(
            f"sampled negatives must be corrected once, but {run.source} is corrected already (data.negatives_kept="
            f"{known}); leave the share out"
        )
    return math.log(rate)


def _examples(run: LoadedRun, rows: Table | None, options: BundleOptions) -> pa.Table | None:
    if not options.with_examples:
        return None
    if options.hash_vocabularies:
        if rows is not None:
            given = "both were asked for" if run.encoder.manifest.vocabulary_salt is None else "hashes were made before"
            raise SettingsError(f"example rows hold the values that hashes hide, but {given}; leave the rows out")
        return None
    if rows is None and run.bundle is not None:
        rows = run.bundle.example_rows
        if rows is None:
            return None
    if rows is not None:
        return take_rows(run, rows, num_rows=NUM_EXAMPLES)
    found = rows_of_recipe(run)
    if found is None:
        _logger.warning(
            "the raw files of %s cannot be read here, so the bundle gets no example rows to verify it by; name a file "
            "that has some",
            run.source,
        )
    return found


def _stage(run: LoadedRun, folder: Path, shift: float, options: BundleOptions) -> LoadedRun:
    staged = folder / RUN_FOLDER_NAME
    stage_run(run.folder, staged, hash_vocabularies=options.hash_vocabularies)
    if shift:
        Calibration(run.calibration.choices, shift).write(staged)
        seal(staged)
    return load_run(staged)


def _write_examples(run: LoadedRun, rows: pa.Table | None, folder: Path) -> int:
    """Write the rows, and score what was written."""
    if rows is None:
        return 0
    path = folder / EXAMPLE_ROWS
    path.parent.mkdir()
    write_rows(rows, path)
    if (excess := find_excess(path, num_rows=rows.num_rows)) is not None:
        raise DataError(f"example rows must be few and small, but {excess}; name others, or leave them out")
    (folder / EXAMPLE_SCORES).write_text(score_rows(run, path).text(), encoding="utf-8")
    return int(rows.num_rows)


def _write_card(run: LoadedRun, index: BundleIndex, findings: Findings, options: BundleOptions, folder: Path) -> None:
    text = card_text(run, index, findings, sampled_negatives=options.sampled_negatives)
    (folder / CARD_FILE).write_text(text, encoding="utf-8")
