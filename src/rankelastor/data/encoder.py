"""Encode new raw rows with fitted features: what prediction needs, from a prepared folder or a run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rankelastor.config.data import CsvSettings
from rankelastor.data.cells.calendar_parts import calendar_part
from rankelastor.data.cells.hashes import hashed_ids
from rankelastor.data.cells.lists import cell_lists, left_padded
from rankelastor.data.cells.numbers import parse_numbers, parse_numbers_or_blanks
from rankelastor.data.cells.texts import cell_texts
from rankelastor.data.features.quantiles import bucket_ids
from rankelastor.data.features.specs import CalendarSpec, HashedSpec, IdSpec, NumericSpec, QuantileSpec, SequenceSpec
from rankelastor.data.features.transform import transform_numbers
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.manifest import VOCABULARY_FOLDER, Manifest
from rankelastor.data.raw.column_names import require_columns
from rankelastor.data.raw.rows import RawRows
from rankelastor.schema import Batch, FeatureSchema


@dataclass(frozen=True)
class RowEncoder:
    """Turns raw rows into batches, as ``prepare`` did; values it has not seen are out of vocabulary.

    Attributes:
        manifest: what ``schema.json`` says.
        vocabularies: by feature name; a feature that shares another's has the same values.
    """

    manifest: Manifest
    vocabularies: dict[str, Vocabulary]

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load from a folder that holds ``schema.json`` and ``vocabulary/``.

        Raises:
            DataError: one of them is missing or damaged.
        """
        folder = Path(folder)
        manifest = Manifest.read(folder)
        vocabularies = {
            spec.name: Vocabulary.read(folder / VOCABULARY_FOLDER / spec.vocabulary, blank=spec.blank)
            for spec in manifest.with_vocabulary
        }
        return cls(manifest, vocabularies)

    @property
    def schema(self) -> FeatureSchema:
        """The features."""
        return self.manifest.feature_schema

    @property
    def csv(self) -> CsvSettings:
        """How the CSV files were written that the features were fitted on."""
        return self.manifest.csv

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that rows must have; the label is none of them."""
        return tuple(dict.fromkeys(spec.column for spec in self.manifest.features))

    def encode(self, rows: RawRows) -> Batch:
        """Raw rows as a batch on the CPU, without label and group.

        Raises:
            DataError: a column is missing or a cell is wrong; the message names file, column, row and value.
        """
        require_columns(rows.names, self.columns, rows.file)
        categorical = np.empty((rows.num_rows, len(self.manifest.categorical)), dtype=np.int32)
        for place, spec in enumerate(self.manifest.categorical):
            categorical[:, place] = self._ids(rows, spec)
        numeric = np.empty((rows.num_rows, len(self.manifest.numeric)), dtype=np.float32)
        for place, number in enumerate(self.manifest.numeric):
            numeric[:, place] = self._numbers(rows, number)
        sequence = _tensor(np.concatenate(lists, axis=1)) if (lists := self._lists(rows)) else None
        return Batch(
            categorical=_tensor(categorical), numeric=_tensor(numeric), labels=None, group=None, sequence=sequence
        )

    def _ids(self, rows: RawRows, spec: IdSpec) -> NDArray[np.int32]:
        if isinstance(spec, QuantileSpec):
            numbers = parse_numbers_or_blanks(rows, spec.column, blanks=self.csv.blanks)
            return bucket_ids(numbers, np.array(spec.edges), spec.blank)
        texts = cell_texts(rows, spec.column, self.csv.blanks)
        if isinstance(spec, HashedSpec):
            return hashed_ids(texts.values, num_buckets=spec.num_buckets, blank=spec.blank)[texts.codes]
        if isinstance(spec, CalendarSpec):
            texts = calendar_part(rows, spec.column, texts, part=spec.part, time_format=spec.format)
        return self.vocabularies[spec.name].ids(texts.values)[texts.codes]

    def _lists(self, rows: RawRows) -> list[NDArray[np.int32]]:
        """The ids of each sequence feature, padded on the left."""
        return [self._list_ids(rows, spec) for spec in self.manifest.sequence]

    def _list_ids(self, rows: RawRows, spec: SequenceSpec) -> NDArray[np.int32]:
        lists = cell_lists(
            rows, spec.column, separator=spec.separator, max_length=spec.max_length, blanks=self.csv.blanks
        )
        ids = self.vocabularies[spec.name].ids(lists.elements.values)
        return left_padded(ids[lists.elements.codes], lists.offsets, spec.max_length)

    def _numbers(self, rows: RawRows, spec: NumericSpec) -> NDArray[np.float32]:
        numbers = parse_numbers(rows, spec.column, blanks=self.csv.blanks, blank=spec.blank)
        return transform_numbers(numbers, spec.transform, spec.statistics)


def _tensor(values: NDArray[np.int32] | NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(values)
