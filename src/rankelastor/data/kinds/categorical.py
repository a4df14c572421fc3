"""The kind ``categorical``: a column of values, each with an id and an embedding."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, model_validator

from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.cells.texts import BlankIds
from rankelastor.data.features.aligned_vectors import PretrainedSpec, align_vectors
from rankelastor.data.features.vector_settings import PretrainedSettings
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.data.kinds.feature_output import FeatureOutput
from rankelastor.data.kinds.field import BLANK_MEANING, TEXT_MEANING, ColumnSettings, FeatureFit, FieldName, Reads
from rankelastor.data.kinds.sharing import refuse_rules_with_shares
from rankelastor.data.kinds.spec import FeatureSpec, IdMeaning, VocabularyFile, meaning_of_values
from rankelastor.data.kinds.vocabulary_fit import VocabularyFeatureFit, VocabularyFit, number_texts
from rankelastor.data.kinds.vocabulary_rules import VocabularyRules
from rankelastor.errors import DataError
from rankelastor.schema import CategoricalFeature, PretrainedVectors

_logger = logging.getLogger(__name__)


class CategoricalField(ColumnSettings):
    """A column of values, each with an id and an embedding."""

    kind: Literal["categorical"] = "categorical"
    min_count: PositiveInt = Field(
        1, description="A value seen fewer times than this in the train split is out of vocabulary."
    )
    blank: BlankIds = Field("value", description=BLANK_MEANING)
    text: TextRule = Field("canonical", description=TEXT_MEANING)
    shares: FieldName | None = Field(
        None,
        description="The name of a categorical or sequence field whose vocabulary and embedding rows this one uses. "
        "One vocabulary then counts the train occurrences in all columns that share it; `min_count` and `blank` are "
        "those of the shared field.",
    )
    pretrained: PretrainedSettings | None = Field(
        None,
        description="Vectors that replace learned embedding rows; a learned linear map projects them to the width of "
        "the model.",
    )

    serving_value: str | int | float | bool | None = Field(
        None,
        description="The value that takes the place of the column when scoring, such as position 1: training uses the "
        "column, evaluation and prediction do not, and rows to be scored may lack it. Null: the column is used.",
    )

    def plan(self, column: str) -> Iterator[PlannedCategorical]:
        """Plan one feature."""
        yield PlannedCategorical(self.name or column, column, self)

    @property
    def vectors(self) -> PretrainedSettings | None:
        """The pretrained vectors; None if embedding rows are learned."""
        return self.pretrained

    @model_validator(mode="after")
    def _the_shared_field_has_the_rules(self) -> Self:
        refuse_rules_with_shares(self.shares, min_count=self.min_count, blank=self.blank)
        if self.shares is not None and self.pretrained is not None:
            raise ValueError(f"pretrained must be left out with shares; set it for the field {self.shares!r}")
        return self


@dataclass(frozen=True)
class PlannedCategorical:
    """A categorical feature to be fitted."""

    name: str
    column: str
    settings: CategoricalField
    kind: ClassVar[str] = "categorical"
    reads: ClassVar[Reads] = "texts"
    width: ClassVar[int] = 1

    @property
    def vocabulary(self) -> VocabularyRules:
        """Rules of its vocabulary; a shared vocabulary brings its own rule for blanks."""
        settings = self.settings
        blank = settings.blank if settings.shares is None else None
        return VocabularyRules(
            settings.shares, settings.min_count, blank, text=settings.text, needed=self._serving_text
        )

    def parse(self, source: CellSource) -> Cells:
        """Number the text of each cell."""
        return number_texts(source, self.column, self.settings.text)

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        """Count the values."""
        assert vocabulary is not None, "the feature has rules for a vocabulary"
        return VocabularyFeatureFit(vocabulary, self.vocabulary.blank, self._spec)

    def _spec(self, file: str, num_ids: int, output: FeatureOutput, vocabulary: Vocabulary) -> CategoricalSpec:
        return CategoricalSpec(
            name=self.name,
            column=self.column,
            min_count=self.settings.min_count,
            blank=self.settings.blank,
            text=self.settings.text,
            num_ids=num_ids,
            vocabulary=file,
            shares=self.settings.shares,
            pretrained=self._write_vectors(output, vocabulary),
            serving_id=self._serving_id(vocabulary),
            unseen_id=vocabulary.unseen_id,
        )

    @property
    def _serving_text(self) -> str | None:
        value = self.settings.serving_value
        if value is None:
            return None
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _serving_id(self, vocabulary: Vocabulary) -> int | None:
        """Find the id of the serving value.

        Raises:
            DataError: train does not hold the value.
        """
        text = self._serving_text
        if text is None:
            return None
        serving_id = int(vocabulary.ids(pl.Series([text]))[0])
        if serving_id == vocabulary.out_of_vocabulary_id:
            frequent = ", ".join(vocabulary.values[:5].to_list())
            raise DataError(
                f"serving_value of the field {self.name} must be a value of train, but {text!r} was given; try one of "
                f"{frequent}"
            )
        return serving_id

    def _write_vectors(self, output: FeatureOutput, vocabulary: Vocabulary) -> PretrainedSpec | None:
        settings = self.settings.pretrained
        if settings is None:
            return None
        vectors, num_without = align_vectors(vocabulary, output.source, settings, text=self.settings.text)
        output.keep_former(self.name, vectors, vocabulary)
        output.vectors.mkdir(exist_ok=True)
        file = output.vectors / output.vector_names.make(self.name)
        np.save(file, vectors)
        if num_without:
            _logger.warning(
                "%d of the %d values of %s have no vector in %s and get zeros",
                num_without, len(vocabulary.values), self.name, settings.file,
            )  # fmt: skip
        return PretrainedSpec(
            file=file.name, dim=vectors.shape[1], trained=settings.trained, num_without_vector=num_without
        )


class CategoricalSpec(FeatureSpec):
    """A fitted categorical feature. ``vocabulary`` names a file in the folder ``vocabulary``.

    ``shares`` names the feature whose vocabulary, embedding rows and rule for blanks it uses.
    """

    kind: Literal["categorical"] = "categorical"
    keeps_cells: ClassVar[bool] = True
    min_count: int
    blank: BlankIds
    text: TextRule = "canonical"
    num_ids: int
    vocabulary: str
    shares: str | None = None
    pretrained: PretrainedSpec | None = None
    serving_id: int | None = None
    unseen_id: int | None = None

    @property
    def is_served(self) -> bool:
        """Whether one value takes the place of the column when scoring."""
        return self.serving_id is not None

    @property
    def feature(self) -> CategoricalFeature:
        """The feature as models see it: one id per example."""
        vectors = None
        if self.pretrained is not None:
            vectors = PretrainedVectors(self.pretrained.dim, self.pretrained.trained)
        return CategoricalFeature(
            self.name, self.num_ids, self.shares, vectors, self.serving_id, unseen_id=self.unseen_id
        )

    @property
    def vocabulary_file(self) -> VocabularyFile:
        """The vocabulary file; ``blank`` is None if the rule of the shared feature applies."""
        blank = self.blank if self.shares is None else None
        return VocabularyFile(self.vocabulary, self.num_ids, blank, self.shares, self.unseen_id)

    @property
    def vectors(self) -> PretrainedSpec | None:
        """The pretrained vectors; None if embedding rows are learned."""
        return self.pretrained

    def parse(self, source: CellSource) -> Cells:
        """Number the text of each cell."""
        return number_texts(source, self.column, self.text)

    def encode(self, cells: Cells) -> NDArray[Any]:
        """Return the cells, which are ids already."""
        return cells.values

    def describe(self) -> str:
        """Name the kind and its pretrained vectors."""
        if self.pretrained is None:
            return "categorical"
        return f"categorical, {'trained' if self.pretrained.trained else 'frozen'} vectors of {self.pretrained.dim}"

    def meaning(self, vocabulary: Vocabulary | None) -> IdMeaning:
        """Say what the ids stand for: values; a blank seen fewer than ``min_count`` times has no id of its own."""
        assert vocabulary is not None, "the feature has a vocabulary"
        return meaning_of_values(vocabulary, rare_blanks_are_unknown=self.min_count > 1)
