"""A prepared data set: open it, inspect it, read its splits."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.data.features.vocabulary import require_vocabulary
from rankelastor.data.fingerprint import compare
from rankelastor.data.manifest import (
    MANIFEST_FILE,
    VECTOR_FOLDER,
    VOCABULARY_FOLDER,
    Manifest,
    SourceRecord,
    SplitSummary,
    damaged_file,
    read_vocabularies,
)
from rankelastor.data.remote_shards import RemoteShardFile, RemoteShards
from rankelastor.data.settings import DataSettings
from rankelastor.data.shards import Shard, open_shard, shard_path
from rankelastor.errors import PREPARE_AGAIN, DataError, StalePreparedError, StorageError
from rankelastor.remote.remote_path import AnyPath, RemotePath, place_of
from rankelastor.schema import PADDING_ID, SPLITS, FeatureSchema, SplitName
from rankelastor.storage import whole_file


@dataclass(frozen=True)
class PreparedSplit:
    """The rows of one split, mapped into memory, or read from an address when they are asked for.

    Each of ``shards`` holds ``shard_rows`` rows, the last one the remainder. ``fingerprint`` is that of the data set.
    """

    name: SplitName
    num_rows: int
    shard_rows: int
    shards: Sequence[Shard]
    fingerprint: str

    @property
    def has_group(self) -> bool:
        """Whether each row has a group."""
        return self.shards[0].group is not None


@dataclass(frozen=True)
class PreparedDataset:
    """A folder that ``prepare`` wrote, on a disk or at an address: ``place``. ``manifest`` is its ``schema.json``."""

    place: AnyPath
    manifest: Manifest

    def __repr__(self) -> str:
        rows = ", ".join(f"{name} {split.num_rows:,} rows" for name, split in self.manifest.splits.items())
        return f"PreparedDataset({str(self.place)!r}, {self.schema.num_fields} fields, {rows})"

    @property
    def folder(self) -> Path:
        """The folder on the disk.

        Raises:
            DataError: it lies at an address.
        """
        if isinstance(self.place, RemotePath):
            raise DataError(
                f"this must have a prepared folder on a disk, but {self.place} is an address; copy it to a disk"
            )
        return self.place

    @classmethod
    def open(cls, folder: str | AnyPath) -> Self:
        """Open a prepared folder, of a disk or of an address.

        The size of every file and the checksums of the vocabularies are compared now. The checksum of a shard is
        compared when its split is first read. In a folder of an earlier version, which has no checksums, all shards are
        read now, and their values must be possible ones.

        Raises:
            DataError: the folder is missing, was not prepared, or was written by an incompatible version; or one of
                its files is missing or damaged.
            RemoteError: the address cannot be reached.
        """
        folder = place_of(folder, what="a prepared folder", error=DataError)
        dataset = cls(folder, Manifest.read(folder))
        dataset._require_whole()
        return dataset

    @classmethod
    def open_matching(cls, settings: DataSettings) -> Self:
        """Open the folder ``settings.prepared`` if it is up to date with these settings and the raw files.

        Missing raw files count as unchanged.

        Raises:
            StalePreparedError: settings or raw files have changed; the message names the changes.
            DataError: the folder is missing or was not prepared.
        """
        dataset = cls.open(settings.prepared)
        now = compare(dataset.manifest, settings, sources_may_be_gone=True)
        if now.differences:
            raise StalePreparedError(
                f"{dataset.place} must be prepared from the recipe's data settings and raw files, but "
                f"{'; '.join(now.differences)}. Run `rankelastor prepare RECIPE`"
            )
        return dataset.with_sources(now.sources)

    def with_sources(self, sources: tuple[SourceRecord, ...]) -> Self:
        """Return the data set with new records of the raw files, whose contents are unchanged.

        ``schema.json`` is rewritten, so that the next comparison need not read the raw files. If it cannot be
        written, the old one is kept.
        """
        if sources == self.manifest.sources:
            return self
        manifest = self.manifest.model_copy(update={"sources": sources})
        with suppress(StorageError, OSError), whole_file(self.place / MANIFEST_FILE) as temporary:
            manifest.write_file(temporary)
        return replace(self, manifest=manifest)

    @property
    def fingerprint(self) -> str:
        """Hash of the settings, the contents of the raw files and the format version."""
        return self.manifest.fingerprint

    @cached_property
    def schema(self) -> FeatureSchema:
        """The features."""
        return self.manifest.feature_schema

    @property
    def splits(self) -> tuple[SplitName, ...]:
        """The splits that exist, train first."""
        return tuple(split for split in SPLITS if split in self.manifest.splits)

    def split(self, name: SplitName) -> PreparedSplit:
        """Open the rows of a split.

        Raises:
            DataError: the split does not exist, or a shard is missing or damaged.
        """
        if name not in self.manifest.splits:
            raise DataError(f"{self.place} must have the split {name!r}, but has only {', '.join(self.splits)}")
        summary = self.manifest.splits[name]
        if summary.num_shards < 1:
            raise DataError(f"{self.place / name} must hold a shard, but schema.json says {summary.num_shards}")
        if isinstance(self.place, RemotePath):
            return self._remote_split(self.place, name, summary)
        shards = tuple(self._open_shard(shard_path(self.place / name, index)) for index in range(summary.num_shards))
        held = sum(shard.num_rows for shard in shards)
        if held != summary.num_rows:
            raise DataError(
                f"{self.place / name} must hold {summary.num_rows} rows, but holds {held}; run `{PREPARE_AGAIN}`",
                python=PREPARE_AGAIN,
            )
        return PreparedSplit(name, summary.num_rows, self.manifest.shard_rows, shards, self.fingerprint)

    def _remote_split(self, folder: RemotePath, name: SplitName, summary: SplitSummary) -> PreparedSplit:
        """Open the rows of a split at an address; none is read now."""
        checksums, each = self.manifest.checksums, self.manifest.shard_rows
        if checksums is None:
            raise DataError(
                f"{folder} must have checksums, as prepared folders at addresses do, but an earlier version wrote it; "
                f"prepare it there again, or copy it to a disk"
            )
        files = []
        for index in range(summary.num_shards):
            path = shard_path(folder / name, index)
            num_rows = min(each, summary.num_rows - index * each)
            files.append(RemoteShardFile(path, num_rows, checksums[f"{name}/{path.name}"], self.schema))
        shards = RemoteShards(files)
        return PreparedSplit(name, summary.num_rows, shards.rows_each, shards, self.fingerprint)

    def frame(self, name: SplitName) -> pl.DataFrame:
        """Read a split as a table to look at: one column per feature (int32 or float32), labels, group, weight.

        A sequence is a list of ids without its left padding. The columns of group and weight are named
        ``group:<column>`` and ``weight:<column>``, because the raw column may be a feature too.
        """
        shards = self.split(name).shards
        return pl.concat([self._frame(shard) for shard in shards])

    def pretrained_vectors(self) -> dict[str, NDArray[np.float32]]:
        """Map the pretrained vectors of features into memory, by feature name: float32 (num_ids, dim).

        Raises:
            DataError: a file is missing or damaged.
        """
        files = self.manifest.vocabulary_files
        for spec in self.manifest.features:
            if spec.vectors is not None:
                self.manifest.require_whole(self.place, f"{VECTOR_FOLDER}/{spec.vectors.file}")
        return {
            spec.name: _open_vectors(
                self.place / VECTOR_FOLDER / spec.vectors.file, files[spec.name].num_ids, spec.vectors.dim
            )
            for spec in self.manifest.features
            if spec.vectors is not None
        }

    def find_damage(self) -> dict[str, str]:
        """Read all files again and say what is wrong, by path in the folder; empty if nothing is.

        In a folder of an earlier version without checksums, values that cannot be are found, and no others.
        """
        if self.manifest.checksums is not None:
            found = {name: self.manifest.find_damage(self.place, name, again=True) for name in self.manifest.checksums}
            return {name: damage for name, damage in found.items() if damage is not None}
        try:
            self._require_whole()
            read_vocabularies(self.place, self.manifest)
        except DataError as error:
            return {"": str(error)}
        return {}

    def _open_shard(self, path: Path) -> Shard:
        self.manifest.require_whole(self.place, f"{path.parent.name}/{path.name}")
        return open_shard(path, self.schema, is_known_whole=self.manifest.checksums is not None)

    def _require_whole(self) -> None:
        _require_vocabularies(self.place, self.manifest)
        self.pretrained_vectors()
        if self.manifest.checksums is None:
            for name in self.splits:
                self.split(name)
        if isinstance(self.place, RemotePath):
            _require_sizes(self.place, self.manifest)
            return
        for path, expected in (self.manifest.checksums or {}).items():
            _require_size(self.place / path, expected.num_bytes)

    def _frame(self, shard: Shard) -> pl.DataFrame:
        columns: dict[str, NDArray[Any] | pl.Series] = {}
        for place, categorical in enumerate(self.schema.categorical):
            columns[categorical.name] = shard.categorical[:, place]
        for place, numeric in enumerate(self.schema.numeric):
            columns[numeric.name] = shard.numeric[:, place]
        columns |= _lists_by_feature(shard, self.schema)
        columns = {feature: columns[feature] for feature in self.schema.names}
        columns |= {task: shard.labels[:, place] for place, task in enumerate(self.schema.tasks)}
        if shard.group is not None:
            columns[f"group:{self.manifest.group}"] = shard.group
        if shard.weight is not None:
            columns[f"weight:{self.manifest.weight}"] = shard.weight
        return pl.DataFrame(columns)


def copy_feature_state(prepared_folder: str | AnyPath, target_folder: str | Path) -> None:
    """Copy what ``RowEncoder.load`` needs (``schema.json``, ``vocabulary/``) to a folder; create it if missing.

    Raises:
        DataError: the source is not a prepared folder, or a vocabulary is missing or damaged.
    """
    source = place_of(prepared_folder, what="a prepared folder", error=DataError)
    target = Path(target_folder)
    manifest = Manifest.read(source)
    _require_vocabularies(source, manifest)
    (target / VOCABULARY_FOLDER).mkdir(parents=True, exist_ok=True)
    for vocabulary in manifest.vocabulary_files.values():
        _copy(source / VOCABULARY_FOLDER / vocabulary.file, target / VOCABULARY_FOLDER / vocabulary.file)
    _copy(source / MANIFEST_FILE, target / MANIFEST_FILE)


def _copy(source: AnyPath, target: Path) -> None:
    if isinstance(source, RemotePath):
        target.write_bytes(source.read_bytes())
    else:
        shutil.copy2(source, target)


def _require_sizes(folder: RemotePath, manifest: Manifest) -> None:
    """Compare the size of each file at an address, by one listing."""
    held = folder.sizes_below()
    for path, expected in (manifest.checksums or {}).items():
        size = held.get(path)
        if size is None:
            raise damaged_file(folder / path, "there is no such file")
        if size != expected.num_bytes:
            raise damaged_file(folder / path, f"it has {size:,} bytes and not {expected.num_bytes:,}")


def _require_size(path: Path, num_bytes: int) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise damaged_file(path, f"it cannot be read: {error.strerror or error}") from error
    if size != num_bytes:
        raise damaged_file(path, f"it has {size:,} bytes and not {num_bytes:,}")


def _lists_by_feature(shard: Shard, schema: FeatureSchema) -> dict[str, pl.Series]:
    lists: dict[str, pl.Series] = {}
    start = 0
    for feature in schema.sequence:
        assert shard.sequence is not None, "the schema has sequence features"
        ids = shard.sequence[:, start : start + feature.max_length]
        start += feature.max_length
        is_element = np.maximum.accumulate(ids != PADDING_ID, axis=1)
        offsets = np.concatenate([[0], np.cumsum(is_element.sum(axis=1))])
        array = pa.LargeListArray.from_arrays(offsets, ids[is_element])
        lists[feature.name] = pl.Series(array, dtype=pl.List(pl.Int32))
    return lists


def _open_vectors(path: AnyPath, num_ids: int, dim: int) -> NDArray[np.float32]:
    try:
        vectors: NDArray[np.float32] = (
            np.load(io.BytesIO(path.read_bytes())) if isinstance(path, RemotePath) else np.load(path, mmap_mode="r")
        )
    except Exception as error:  # a damaged header raises almost anything in NumPy
        raise _damaged_vectors(path, error) from error
    if vectors.shape != (num_ids, dim) or vectors.dtype != np.float32:
        raise _damaged_vectors(path, f"it holds {vectors.dtype} {vectors.shape}, and not float32 {(num_ids, dim)}")
    return vectors


def _damaged_vectors(path: AnyPath, reason: object) -> DataError:
    return DataError(
        f"{path} must be vectors of a prepared folder, but {reason}; run `{PREPARE_AGAIN}`", python=PREPARE_AGAIN
    )


def _require_vocabularies(folder: AnyPath, manifest: Manifest) -> None:
    for vocabulary in manifest.vocabulary_files.values():
        manifest.require_whole(folder, f"{VOCABULARY_FOLDER}/{vocabulary.file}")
        require_vocabulary(folder / VOCABULARY_FOLDER / vocabulary.file, num_ids=vocabulary.num_ids)
