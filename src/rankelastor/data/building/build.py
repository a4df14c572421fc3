"""Build a prepared folder: read the raw files once, fit on the train split, encode."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from rankelastor.data.building.encoding import StagedEncoder, write_splits
from rankelastor.data.building.field_plan import FieldPlan, plan_fields
from rankelastor.data.building.fitting import FeatureFits, FittedFeature
from rankelastor.data.building.label_rates import LabelRates, label_rates, require_weights
from rankelastor.data.building.row_splits import SplitCodes, assign_by_file, assign_rows
from rankelastor.data.building.staging import Stager
from rankelastor.data.building.workers import Workers
from rankelastor.data.features.file_names import FileNames
from rankelastor.data.features.vector_files import find_vector_files
from rankelastor.data.fingerprint import compute_fingerprint, file_states, record_sources, relevant_settings
from rankelastor.data.kinds.feature_output import FeatureOutput
from rankelastor.data.manifest import VECTOR_FOLDER, VOCABULARY_FOLDER, Manifest, SplitSummary, build_schema
from rankelastor.data.raw.csv_stream import READ_BYTES
from rankelastor.data.raw.parquet_types import require_same_kinds
from rankelastor.data.raw.rows import column_names, read_rows
from rankelastor.data.raw.source_files import SourceFile, without_empty
from rankelastor.data.settings import DataSettings
from rankelastor.data.shards import limit_shard_rows
from rankelastor.data.split_settings import TimeSplit
from rankelastor.errors import DataError
from rankelastor.progress import ProgressListener
from rankelastor.remote.remote_path import AnyPath, place_of
from rankelastor.schema import SPLITS, SplitName


def build(
    settings: DataSettings,
    sources: Sequence[SourceFile],
    folder: Path,
    progress: ProgressListener,
    *,
    read_bytes: int = READ_BYTES,
    num_threads: int | None = None,
) -> Manifest:
    """Build a prepared data set in ``folder``, which must exist and be empty.

    The result depends on the contents of the files and on the settings alone, not on ``read_bytes`` or
    ``num_threads`` (None: the default of Arrow).

    Raises:
        DataError: a raw file is wrong, or a split is empty or has one label only.
        SettingsError: the declared fields do not match the files.
    """
    with Workers(num_threads) as workers:
        return _build(settings, sources, folder, progress, read_bytes=read_bytes, workers=workers)


def _build(
    settings: DataSettings,
    sources: Sequence[SourceFile],
    folder: Path,
    progress: ProgressListener,
    *,
    read_bytes: int,
    workers: Workers,
) -> Manifest:
    files = (*sources, *find_vector_files(settings.files.folder, settings.vectors))
    before = file_states(files)
    hashed = workers.start(partial(record_sources, stopped=workers.stopped.is_set), files)
    stager = _stage(settings, sources, folder, progress, read_bytes=read_bytes, workers=workers)
    records = hashed.result()
    if not before == file_states(files) == tuple((record.num_bytes, record.modified_ns) for record in records):
        raise DataError("the raw files must not change while they are read, but one did; prepare again")
    splits = _assign(settings, stager)
    rates = label_rates(stager.plan, stager.parts, splits)
    require_weights(stager.plan, stager.parts, splits)
    features = _fit(stager, splits, settings, folder, progress=progress, workers=workers)
    stager.interners.clear()  # large, and writing needs only the table from codes to ids
    specs = tuple(feature.spec for feature in features)
    encoder = StagedEncoder(build_schema(specs, [target.task for target in settings.targets]), features, stager.groups)
    shard_rows = limit_shard_rows(encoder.schema, settings.shard_rows, has_weight=settings.weight is not None)
    num_shards = write_splits(
        stager.parts,
        splits,
        encoder,
        folder,
        shard_rows=shard_rows,
        progress=progress,
        workers=workers,
    )
    stager.folder.rmdir()
    manifest = Manifest(
        fingerprint=compute_fingerprint(relevant_settings(settings), records),
        label=settings.targets[0].label.column,
        labels=_columns_by_task(settings),
        weight=settings.weight,
        group=stager.plan.group,
        features=specs,
        splits=_summaries(splits, num_shards, rates),
        shard_rows=shard_rows,
        csv=settings.csv,
        settings=relevant_settings(settings),
        sources=records,
    ).with_checksums(folder)
    manifest.write(folder)
    return manifest


def _summaries(
    splits: SplitCodes, num_shards: dict[SplitName, int], rates: LabelRates
) -> dict[SplitName, SplitSummary]:
    sizes = np.bincount(splits, minlength=len(SPLITS)).tolist()
    return {
        name: SplitSummary(
            num_rows=sizes[SPLITS.index(name)],
            num_shards=shards,
            label_mean=next(iter(rates[name].values())),
            label_means=rates[name] if len(rates[name]) > 1 else None,
        )
        for name, shards in num_shards.items()
    }


def _stage(
    settings: DataSettings,
    sources: Sequence[SourceFile],
    folder: Path,
    progress: ProgressListener,
    *,
    read_bytes: int,
    workers: Workers,
) -> Stager:
    """Stage all files that hold rows; the first one determines the columns."""
    sources = without_empty(sources, settings.csv)
    first = sources[0].path
    plan = plan_fields(settings, column_names(first, settings.csv, partitions=sources[0].partitions), first)
    require_same_kinds(
        [source.path for source in sources], plan.columns, numbers=[*plan.number_columns, *plan.target_columns]
    )
    split = settings.split if isinstance(settings.split, TimeSplit) else None
    stager = Stager(plan, settings.csv, folder / "staged", workers, split)
    progress.begin("reading", total=sum(source.path.stat().st_size for source in sources), unit="bytes")
    for source in sources:
        _require_same_features(plan, settings, source, first)
        position = 0
        for rows in read_rows(
            source.path,
            settings.csv,
            plan.columns,
            distinct=plan.distinct_columns,
            numbers=plan.number_columns,
            read_bytes=read_bytes,
            partitions=source.partitions,
        ):
            stager.add(rows, source.split)
            progress.advance(rows.bytes_read - position)
            position = rows.bytes_read
    progress.end()
    return stager


def _require_same_features(plan: FieldPlan, settings: DataSettings, source: SourceFile, first: AnyPath) -> None:
    """Raise if a pattern matches other columns in a later file, which would be lost silently."""
    names = column_names(source.path, settings.csv, partitions=source.partitions)
    other = plan_fields(settings, names, source.path)
    if set(other.features) != set(plan.features):
        ours, theirs = ({feature.column for feature in each.features} for each in (plan, other))
        extra = ", ".join(map(repr, sorted(theirs ^ ours)))
        raise DataError(
            f"{source.path} must have the same feature columns as {first}, but differs in {extra}; "
            "list the columns one by one in data.fields"
        )


def _assign(settings: DataSettings, stager: Stager) -> SplitCodes:
    if settings.split is None:
        codes = assign_by_file([(part.split, part.num_rows) for part in stager.parts])
    else:
        codes = assign_rows(settings.split, stager.num_rows, stager.time_keys(), stager.split_starts())
    wanted = [split for split in SPLITS if settings.files.all is None and getattr(settings.files, split) is not None]
    sizes = np.bincount(codes, minlength=len(SPLITS))
    for split in wanted:
        if not sizes[SPLITS.index(split)]:
            raise DataError(
                f"the split {split} must hold rows, but files.{split} {_patterns(settings, split)} have none"
            )
    return codes


def _patterns(settings: DataSettings, split: SplitName) -> str:
    return ", ".join(getattr(settings.files, split))


def _columns_by_task(settings: DataSettings) -> dict[str, str] | None:
    if settings.labels is None:
        return None
    return {target.task: target.label.column for target in settings.targets}


def _fit(
    stager: Stager,
    splits: SplitCodes,
    settings: DataSettings,
    folder: Path,
    *,
    progress: ProgressListener,
    workers: Workers,
) -> tuple[FittedFeature, ...]:
    fits = FeatureFits(stager.plan, stager.interners, workers)
    fits.run(stager.parts, splits, progress)
    vocabularies = folder / VOCABULARY_FOLDER
    vocabularies.mkdir()
    output = FeatureOutput(
        place_of(settings.files.folder, what="files.folder", error=DataError),
        folder / VECTOR_FOLDER,
        FileNames(suffix=".npy"),
    )
    return fits.write(output, vocabularies)
