"""The manifest of a prepared folder: the contents of ``schema.json``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from rankelastor.checksums import Checksum, checksum_of_json, checksums_below, find_damage
from rankelastor.config.base import Settings
from rankelastor.config.explain import explain_validation_error
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.catalogue import AnyFeatureSpec
from rankelastor.data.kinds.spec import FeatureSpec, VocabularyFile
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.errors import PREPARE_AGAIN, DataError, shorten
from rankelastor.places import in_full, refuse_address
from rankelastor.remote.remote_path import AnyPath, RemotePath
from rankelastor.schema import CategoricalFeature, FeatureSchema, NumericFeature, SequenceFeature, SplitName

MANIFEST_FILE = "schema.json"
VOCABULARY_FOLDER = "vocabulary"
VECTOR_FOLDER = "vectors"
FORMAT_VERSION: Literal[3] = 3
"""The layouts that readers must distinguish.

- 1: typed values are spelled as Arrow writes them and texts as written; such folders are still read so.
- 2: one value has one spelling.
- 3: ``schema.json`` holds checksums of all files, and of itself.
"""
_READABLE_VERSIONS = (1, 2, 3)
_FIRST_WITH_CHECKSUMS = 3


class FileChecksum(Settings):
    """Size and checksum of a file of the folder, see ``rankelastor.checksums``."""

    num_bytes: int
    sha256: str


class SplitSummary(Settings):
    """Number of rows and shards of a split, and the mean of its label.

    With several tasks, ``label_means`` holds one mean per task and ``label_mean`` that of the first task.
    """

    num_rows: int
    num_shards: int
    label_mean: float
    label_means: dict[str, float] | None = None

    @model_serializer(mode="wrap")
    def _omit_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _omit_none(handler(self), "label_means")


class SourceRecord(Settings):
    """State of a raw file when it was read. ``digest`` is the SHA-256 of its bytes."""

    split: SplitName | None
    name: str
    num_bytes: int
    modified_ns: int
    digest: str


class Manifest(Settings):
    """Description of a prepared data set: everything except its rows and vocabularies.

    ``settings`` are the data settings that affect the result; ``fingerprint`` is one hash of these, of the contents
    of the sources and of the format version. Encoding new rows needs only ``csv`` and ``features``.
    ``label`` is the column of the (first) label; ``labels`` maps each task to its column if tasks are named, and is
    None otherwise. ``weight`` is the column of weights, or None. ``checksums`` holds one for each other file of the
    folder, by its path in it; folders of earlier versions have none. ``vocabulary_salt`` is the salt of the hashes that
    stand in place of the values of vocabularies in some bundles; None where the values themselves do.
    """

    format_version: Literal[1, 2, 3] = FORMAT_VERSION
    fingerprint: str
    label: str
    labels: dict[str, str] | None = None
    weight: str | None = None
    group: str | None
    features: tuple[AnyFeatureSpec, ...]
    splits: dict[SplitName, SplitSummary]
    shard_rows: int
    csv: CsvSettings
    settings: dict[str, Any]
    sources: tuple[SourceRecord, ...]
    checksums: dict[str, FileChecksum] | None = None
    vocabulary_salt: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None

    @property
    def feature_schema(self) -> FeatureSchema:
        """The features as models see them."""
        return build_schema(self.features, self.tasks)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks, one per label column of a batch."""
        return (self.label,) if self.labels is None else tuple(self.labels)

    @model_serializer(mode="wrap")
    def _omit_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _omit_none(handler(self), "labels", "weight", "checksums", "vocabulary_salt")

    @property
    def feature_digest(self) -> str | None:
        """Hash of what turns raw rows into ids and numbers, which ties weights to it; None without checksums."""
        if self.checksums is None:
            return None
        files = {name: each.sha256 for name, each in self.checksums.items() if name.startswith(VOCABULARY_FOLDER)}
        return checksum_of_json([self.fingerprint, files])

    def with_checksums(self, folder: Path) -> Manifest:
        """Return the manifest with the checksums of all files that lie in ``folder``."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        found = checksums_below(folder, files)
        checksums = {name: FileChecksum(num_bytes=each.num_bytes, sha256=each.sha256) for name, each in found.items()}
        return self.model_copy(update={"checksums": checksums})

    def find_damage(self, folder: AnyPath, name: str, *, again: bool = False) -> str | None:
        """Say what is wrong with the file ``name`` of ``folder``; None: nothing, or the folder has no checksums."""
        if self.checksums is None:
            return None
        if name not in self.checksums:
            return f"{MANIFEST_FILE} holds no checksum of it"
        expected = self.checksums[name]
        return find_damage(folder / name, Checksum(expected.num_bytes, expected.sha256), again=again)

    def require_whole(self, folder: AnyPath, name: str) -> None:
        """Check the file ``name`` of ``folder`` against its checksum, once in a process while it does not change.

        Raises:
            DataError: it is missing or damaged.
        """
        if (damage := self.find_damage(folder, name)) is not None:
            raise damaged_file(folder / name, damage)

    @property
    def numeric(self) -> tuple[FeatureSpec, ...]:
        """The features of one number per example: the columns of ``Batch.numeric``."""
        return tuple(spec for spec in self.features if isinstance(spec.feature, NumericFeature))

    @property
    def categorical(self) -> tuple[FeatureSpec, ...]:
        """The features of one id per example: the columns of ``Batch.categorical``."""
        return tuple(spec for spec in self.features if isinstance(spec.feature, CategoricalFeature))

    @property
    def sequence(self) -> tuple[FeatureSpec, ...]:
        """The features of one list of ids per example, side by side in ``Batch.sequence``."""
        return tuple(spec for spec in self.features if isinstance(spec.feature, SequenceFeature))

    @property
    def vocabulary_files(self) -> dict[str, VocabularyFile]:
        """The vocabulary file of each feature that has one, own or shared, by name; ``blank`` is resolved."""
        files = {spec.name: file for spec in self.features if (file := spec.vocabulary_file) is not None}
        return {
            name: file if file.blank is not None else replace(file, blank=files[file.shares or name].blank)
            for name, file in files.items()
        }

    def write(self, folder: Path) -> None:
        """Write ``schema.json``."""
        self.write_file(folder / MANIFEST_FILE)

    def write_file(self, file: Path) -> None:
        """Write the contents of ``schema.json`` to ``file``, with a ``digest`` of all the rest."""
        values = json.loads(self.model_dump_json())
        if self.format_version >= _FIRST_WITH_CHECKSUMS:
            values["digest"] = checksum_of_json(values)
        file.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: AnyPath) -> Manifest:
        """Read ``schema.json`` of a prepared folder or of a copy of its feature state.

        Raises:
            DataError: the folder is missing, was not prepared, or was written by an incompatible version.
        """
        values = _read_json(folder)
        version = values.get("format_version")
        if version not in _READABLE_VERSIONS:
            raise DataError(
                f"{folder} must have the format version {FORMAT_VERSION} or lower, but has {shorten(version)}; "
                "run `rankelastor prepare RECIPE` with this version of rankelastor"
            )
        if version >= _FIRST_WITH_CHECKSUMS and values.pop("digest", None) != checksum_of_json(values):
            raise damaged_file(folder / MANIFEST_FILE, "its contents are not what was written (the checksum differs)")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise DataError(explain_validation_error(error, cls, source=str(folder / MANIFEST_FILE))) from None


def build_schema(specs: Iterable[FeatureSpec], tasks: Iterable[str]) -> FeatureSchema:
    """Build the schema that models see from the fitted features and the names of the tasks."""
    return FeatureSchema(tuple(spec.feature for spec in specs), tuple(tasks))


def damaged_file(path: AnyPath, damage: str) -> DataError:
    """Make the error of a damaged file of a prepared folder."""
    return DataError(
        f"{path} must be whole, but {damage}; run `{PREPARE_AGAIN}`, or restore it from a copy", python=PREPARE_AGAIN
    )


def read_vocabularies(folder: AnyPath, manifest: Manifest) -> dict[str, Vocabulary]:
    """Read the vocabulary of each feature that has one, by feature name, with the feature's rule for blanks.

    Raises:
        DataError: a vocabulary is missing or damaged.
    """
    files = manifest.vocabulary_files
    for file in files.values():
        manifest.require_whole(folder, f"{VOCABULARY_FOLDER}/{file.file}")
    return {name: read_vocabulary(folder, file, salt=manifest.vocabulary_salt) for name, file in files.items()}


def read_vocabulary(folder: AnyPath, file: VocabularyFile, *, salt: str | None = None) -> Vocabulary:
    """Read one of ``Manifest.vocabulary_files``; ``salt`` is that of the manifest.

    Raises:
        DataError: the vocabulary is missing or damaged.
    """
    assert file.blank is not None, "the manifest resolves it"
    path = folder / VOCABULARY_FOLDER / file.file
    return Vocabulary.read(path, blank=file.blank, num_ids=file.num_ids, salt=salt)


def _omit_none(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """Omit unused keys that were added to the format later, so that folders without them keep their format."""
    return {name: value for name, value in values.items() if value is not None or name not in names}


def _read_json(folder: AnyPath) -> dict[str, Any]:
    path = folder / MANIFEST_FILE
    if isinstance(path, RemotePath):
        _require_remote_manifest(path)
    elif not os.path.isfile(path):  # noqa: PTH113 - a folder that may not be entered is no error here
        what = "it has no " + MANIFEST_FILE if folder.is_dir() else "it does not exist"
        refuse_address(str(folder), what="a prepared folder", error=DataError)
        raise DataError(
            f"{in_full(str(folder))} must be a prepared folder, but {what}; run `rankelastor prepare RECIPE` first"
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise DataError(
            f"{path} must be readable JSON, but {error}; run `{PREPARE_AGAIN}`", python=PREPARE_AGAIN
        ) from error
    if not isinstance(values, dict):
        raise DataError(f"{path} must describe a prepared folder, but holds {type(values).__name__}")
    return values


def _require_remote_manifest(path: RemotePath) -> None:
    """Raise unless there is a manifest at an address; a folder that was not written to its end has none."""
    if path.is_file():
        return
    path.require_bucket()
    what = f"it has no {MANIFEST_FILE}" if path.parent.is_dir() else "there is nothing there"
    raise DataError(f"{path.parent} must be a prepared folder, but {what}; run `rankelastor prepare RECIPE` first")
