"""Encode new raw rows with the fitted features of a prepared folder or of a run folder, for prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from rankelastor.data.cells.number_texts import NumberMarks
from rankelastor.data.encoded_rows import EncodedRows
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import CellSource, Numbering, marks_of_csv
from rankelastor.data.manifest import Manifest, read_vocabularies
from rankelastor.data.raw.column_names import require_columns
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError
from rankelastor.remote.remote_path import AnyPath, place_of
from rankelastor.schema import Batch, FeatureSchema


@dataclass(frozen=True)
class RowEncoder:
    """Encoder of raw rows into batches, as ``prepare`` encodes them; unseen values are out of vocabulary.

    Attributes:
        manifest: the contents of ``schema.json``.
        vocabularies: the vocabulary of each feature that has one, own or shared, by feature name.
    """

    manifest: Manifest
    vocabularies: dict[str, Vocabulary]

    def __repr__(self) -> str:
        return f"RowEncoder({self.schema.num_fields} fields, {len(self.vocabularies)} vocabularies)"

    @classmethod
    def load(cls, folder: str | AnyPath) -> Self:
        """Load from a folder that holds ``schema.json`` and ``vocabulary/``.

        Raises:
            DataError: one of them is missing or damaged.
        """
        folder = place_of(folder, what="a prepared folder", error=DataError)
        manifest = Manifest.read(folder)
        return cls(manifest, read_vocabularies(folder, manifest))

    @property
    def schema(self) -> FeatureSchema:
        """The features."""
        return self.manifest.feature_schema

    @property
    def csv(self) -> CsvSettings:
        """Format of the CSV files that the features were fitted on."""
        return self.manifest.csv

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that rows must have; neither the label nor a column with a serving value is one of them."""
        return tuple(
            dict.fromkeys(column for spec in self.manifest.features if not spec.is_served for column in spec.columns)
        )

    def encode(self, rows: RawRows) -> Batch:
        """Encode raw rows as a batch on the CPU, without labels and group.

        Raises:
            DataError: a column is missing or a cell is wrong; the message names file, column, row and value.
        """
        require_columns(rows.names, self.columns, rows.file)
        numberings = {
            name: Numbering(vocabulary.ids, once_per_text=True) for name, vocabulary in self.vocabularies.items()
        }
        encoded = (
            np.zeros(rows.num_rows)
            if spec.is_served and spec.column not in rows.names
            else spec.encode(spec.parse(self.source(rows, numberings.get(spec.name, Numbering.none()))))
            for spec in self.manifest.features
        )
        return EncodedRows.assemble(self.schema, rows.num_rows, encoded).as_batch()

    @property
    def marks(self) -> NumberMarks:
        """The decimal mark and the thousands separator of the CSV files that the features were fitted on."""
        return marks_of_csv(self.csv)

    def source(self, rows: RawRows, numbering: Numbering) -> CellSource:
        """Make the source of cells, read by the rules of the version that fitted the features."""
        return CellSource(rows, self.csv.blanks, numbering, self.marks, format_version=self.manifest.format_version)
