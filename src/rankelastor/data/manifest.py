"""What a prepared folder says about itself: the contents of ``schema.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from rankelastor.config.base import Settings
from rankelastor.config.data import CsvSettings
from rankelastor.config.explain import explain_validation_error
from rankelastor.config.fields import BlankIds, CalendarPart, NumericTransform, TimeFormat
from rankelastor.data.transform import NumberStatistics
from rankelastor.errors import DataError
from rankelastor.schema import CategoricalFeature, Feature, FeatureSchema, NumericFeature, SplitName

MANIFEST_FILE = "schema.json"
VOCABULARY_FOLDER = "vocabulary"
FORMAT_VERSION = 1


class NumericSpec(Settings):
    """A fitted numeric feature. ``blank`` is the number a blank stands for; None refuses blanks."""

    kind: Literal["numeric"] = "numeric"
    name: str
    column: str
    transform: NumericTransform
    blank: float | None
    statistics: NumberStatistics


class CategoricalSpec(Settings):
    """A fitted categorical feature. ``vocabulary`` is the file in the folder ``vocabulary``."""

    kind: Literal["categorical"] = "categorical"
    name: str
    column: str
    min_count: int
    blank: BlankIds
    num_ids: int
    vocabulary: str


class CalendarSpec(Settings):
    """A fitted calendar part of a timestamp column."""

    kind: Literal["calendar"] = "calendar"
    name: str
    column: str
    part: CalendarPart
    format: TimeFormat
    num_ids: int
    vocabulary: str

    @property
    def blank(self) -> BlankIds:
        """A blank timestamp is a value of its own."""
        return "value"


FeatureSpec = Annotated[NumericSpec | CategoricalSpec | CalendarSpec, Field(discriminator="kind")]


class SplitSummary(Settings):
    """Number of rows and of shards of a split, and its click rate."""

    num_rows: int
    num_shards: int
    label_mean: float


class SourceRecord(Settings):
    """A raw file as it was when it was read. ``digest`` is the SHA-256 of its bytes."""

    split: SplitName | None
    name: str
    num_bytes: int
    modified_ns: int
    digest: str


class Manifest(Settings):
    """Everything about a prepared data set but its rows and vocabularies.

    ``settings`` are the data settings that matter for the result; ``fingerprint`` is one hash of these, of the
    contents of the sources and of the format. ``csv`` and the features are all that encoding new rows needs.
    """

    format_version: Literal[1] = 1
    fingerprint: str
    label: str
    group: str | None
    features: tuple[FeatureSpec, ...]
    splits: dict[SplitName, SplitSummary]
    shard_rows: int
    csv: CsvSettings
    settings: dict[str, Any]
    sources: tuple[SourceRecord, ...]

    @property
    def feature_schema(self) -> FeatureSchema:
        """The features as models see them."""
        return schema_of(self.features)

    @property
    def numeric(self) -> tuple[NumericSpec, ...]:
        """The numeric features: the columns of ``Batch.numeric``."""
        return tuple(spec for spec in self.features if isinstance(spec, NumericSpec))

    @property
    def categorical(self) -> tuple[CategoricalSpec | CalendarSpec, ...]:
        """The features that are ids: the columns of ``Batch.categorical``."""
        return tuple(spec for spec in self.features if not isinstance(spec, NumericSpec))

    def write(self, folder: Path) -> None:
        """Write ``schema.json``."""
        self.write_file(folder / MANIFEST_FILE)

    def write_file(self, file: Path) -> None:
        """Write what ``schema.json`` holds to ``file``."""
        file.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read ``schema.json`` of a prepared folder or of a copy of its feature state.

        Raises:
            DataError: the folder is missing or no prepared one, or another version wrote it.
        """
        values = _read_json(folder)
        version = values.get("format_version")
        if version != FORMAT_VERSION:
            raise DataError(
                f"{folder} must have the format version {FORMAT_VERSION}, but has {version!r}; "
                "run `rankelastor prepare RECIPE` with this version of rankelastor"
            )
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise DataError(explain_validation_error(error, cls, source=str(folder / MANIFEST_FILE))) from None


def schema_of(specs: Iterable[FeatureSpec]) -> FeatureSchema:
    """Fitted features as models see them."""
    return FeatureSchema(tuple(_feature(spec) for spec in specs))


def _feature(spec: NumericSpec | CategoricalSpec | CalendarSpec) -> Feature:
    if isinstance(spec, NumericSpec):
        return NumericFeature(spec.name)
    return CategoricalFeature(spec.name, spec.num_ids)


def _read_json(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST_FILE
    if not path.is_file():
        what = "it has no " + MANIFEST_FILE if folder.is_dir() else "it does not exist"
        raise DataError(f"{folder} must be a prepared folder, but {what}; run `rankelastor prepare RECIPE` first")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DataError(
            f"{path} must be JSON that can be read, but {error}; run `rankelastor prepare RECIPE --force`"
        ) from error
    if not isinstance(values, dict):
        raise DataError(f"{path} must describe a prepared folder, but holds {type(values).__name__}")
    return values
