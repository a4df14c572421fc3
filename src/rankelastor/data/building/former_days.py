"""What the prepared folders of former days hand to the one that takes a further day in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.building.field_plan import FieldPlan
from rankelastor.data.features.extended_vocabulary import FormerValues, NewDay
from rankelastor.data.features.rare_values import RareValues
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.fingerprint import find_changes, relevant_settings
from rankelastor.data.kinds.spec import FeatureSpec
from rankelastor.data.manifest import RARE_FOLDER, TAKEN_FILE, Extension, Manifest, SourceRecord, read_vocabularies
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.settings import DataSettings
from rankelastor.errors import PREPARE_AGAIN, DataError, SettingsError
from rankelastor.remote.remote_path import AnyPath

_OF_A_DAY = ("files", "split", "shard_rows", "extendable", "max_idle_days")
"""Settings that may differ from day to day."""
_FIRST_WITH_ONE_SPELLING = 2


@dataclass(frozen=True)
class FormerDays:
    """The state of a prepared folder that another one extends.

    Attributes:
        folder: the folder.
        manifest: its manifest.
        day: the number of the day to come, and how long values stay.
        taken: digests of the files whose rows were in train on any day so far.
        vectors: pretrained vectors and the vocabulary of each feature that has them.
    """

    folder: AnyPath
    manifest: Manifest
    day: NewDay
    taken: frozenset[str]
    vectors: Mapping[str, tuple[NDArray[np.float32], Vocabulary]]
    _vocabularies: Mapping[str, Vocabulary]

    @classmethod
    def read(cls, folder: AnyPath, settings: DataSettings) -> Self:
        """Read the folder to extend, for these settings of the new day.

        Raises:
            DataError: it is no prepared folder, is damaged, or lacks counts of rare values.
            SettingsError: the new day has other fields, labels, weights or format of CSV.
        """
        dataset = PreparedDataset.open(folder)
        manifest = dataset.manifest
        _require_same_settings(dataset, settings)
        _require_extendable(dataset)
        number = 1 if manifest.extension is None else manifest.extension.day + 1
        vocabularies = read_vocabularies(dataset.place, manifest)
        vectors = {name: (each, vocabularies[name]) for name, each in dataset.pretrained_vectors().items()}
        return cls(
            folder=dataset.place,
            manifest=manifest,
            day=NewDay(number, settings.max_idle_days),
            taken=_taken_files(dataset),
            vectors=vectors,
            _vocabularies=vocabularies,
        )

    @property
    def base(self) -> str:
        """The fingerprint of the folder."""
        return self.manifest.fingerprint

    @property
    def extension(self) -> Extension:
        """The entry of the new folder's manifest."""
        before = () if self.manifest.extension is None else self.manifest.extension.former
        return Extension(former=(*before, self.base))

    def spec(self, feature: str) -> FeatureSpec:
        """Return the fitted feature, which stays as it is unless it has a vocabulary."""
        return next(spec for spec in self.manifest.features if spec.name == feature)

    def values(self, owner: str) -> FormerValues:
        """Read the values of the vocabulary of a feature, the rare ones too.

        Raises:
            DataError: the file of rare values is damaged.
        """
        file = f"{RARE_FOLDER}/{self.manifest.vocabulary_files[owner].file}"
        rare = RareValues.none()
        if (self.folder / file).is_file():
            self.manifest.require_whole(self.folder, file)
            rare = RareValues.read(self.folder / file)
        return FormerValues(self._vocabularies[owner], rare)

    def refuse_other_features(self, plan: FieldPlan, file: AnyPath) -> None:
        """Raise unless the new day has the features of the days before, which a pattern may match differently.

        Raises:
            DataError: it has not.
        """
        before, now = [spec.name for spec in self.manifest.features], [feature.name for feature in plan.features]
        if before != now:
            differing = ", ".join(map(repr, sorted({*before} ^ {*now}))) or "their order"
            raise DataError(
                f"{file} must have the feature columns of the days before, but differs in {differing}; give files with "
                "the same columns, or prepare all days anew"
            )

    def refuse_taken(self, sources: Sequence[SourceRecord]) -> None:
        """Raise if rows of a file would be counted twice.

        Raises:
            DataError: a file of train was taken in before.
        """
        again = [record.name for record in sources if record.digest in self.taken and _is_trained_on(record)]
        if again:
            more = f" and {len(again) - 1} more" if len(again) > 1 else ""
            raise DataError(
                f"a file must be taken in once, but {again[0]}{more} was read on a day before, see "
                f"{self.folder / TAKEN_FILE}; name the files of the new day alone in data.files"
            )

    def write_taken(self, folder: Path, own: Sequence[SourceRecord]) -> None:
        """Write the digests of the files of all days so far, and of those of the new one, one a line."""
        digests = sorted(self.taken | {record.digest for record in own if _is_trained_on(record)})
        (folder / TAKEN_FILE).write_text("".join(f"{digest}\n" for digest in digests), encoding="ascii")


def _taken_files(dataset: PreparedDataset) -> frozenset[str]:
    """Return the digests of all files that trained a folder and those that it extends."""
    if dataset.manifest.extension is None:
        return frozenset(record.digest for record in dataset.manifest.sources if _is_trained_on(record))
    dataset.manifest.require_whole(dataset.place, TAKEN_FILE)
    return frozenset((dataset.place / TAKEN_FILE).read_text(encoding="ascii").split())


def _is_trained_on(record: SourceRecord) -> bool:
    """Whether rows of a raw file may be in train."""
    return record.split in {None, "train"}


def _require_same_settings(dataset: PreparedDataset, settings: DataSettings) -> None:
    before = {name: each for name, each in dataset.manifest.settings.items() if name not in _OF_A_DAY}
    now = {name: each for name, each in relevant_settings(settings).items() if name not in _OF_A_DAY}
    if changes := list(find_changes("data", before, now)):
        raise SettingsError(
            f"a further day must be read as the days before, but {'; '.join(changes)} for {dataset.place}; use the "
            "former settings, or prepare all days anew"
        )


def _require_extendable(dataset: PreparedDataset) -> None:
    """Raise unless counts of rare values are there where they matter, and values have one spelling.

    Raises:
        DataError: they are not.
    """
    advice = f"prepare the first day again with data.extendable=true, by `{PREPARE_AGAIN}`"
    if dataset.manifest.format_version < _FIRST_WITH_ONE_SPELLING:
        raise DataError(
            f"{dataset.place} must have format version {_FIRST_WITH_ONE_SPELLING} or higher to be extended, but has "
            f"{dataset.manifest.format_version}, in which one value may have several spellings; {advice}",
            python=PREPARE_AGAIN,
        )
    for spec in dataset.manifest.features:
        file, least = spec.vocabulary_file, getattr(spec, "min_count", 1)
        if file is not None and file.shares is None and least > 1 and not (dataset.place / RARE_FOLDER).is_dir():
            raise DataError(
                f"{dataset.place} must hold the counts of rare values to be extended, but {spec.name} has min_count "
                f"{least} and its rare values were not kept; {advice}",
                python=PREPARE_AGAIN,
            )
