"""The interface of a fitted feature: its entry in ``schema.json``, and how it parses and encodes cells."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray
from pydantic import SerializerFunctionWrapHandler, model_serializer

from rankelastor.config.base import Settings
from rankelastor.data.cells.texts import BLANK, BlankIds
from rankelastor.data.features.aligned_vectors import PretrainedSpec
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.schema import PADDING_ID, Feature


@dataclass(frozen=True)
class VocabularyFile:
    """The vocabulary of a fitted feature: a file in the folder ``vocabulary``.

    ``blank`` is None if the rule of the feature it ``shares`` applies. ``unseen_id`` is the out-of-vocabulary id of a
    vocabulary that was extended by further days; None: the last id.
    """

    file: str
    num_ids: int
    blank: BlankIds | None
    shares: str | None = None
    unseen_id: int | None = None


@dataclass(frozen=True)
class IdMeaning:
    """What the ids of a feature stand for, for a report.

    ``blank_ids``: the ids that only blanks have, empty if there is no blank; None if blanks share an id with others.
    ``text_of`` names a known id by its value, its range of numbers, or its bucket.
    """

    blank_ids: tuple[int, ...] | None
    text_of: Callable[[int], str]


@dataclass(frozen=True)
class NumberMeaning:
    """What the numbers of a feature stand for: the name of the transform, and the number that a blank becomes."""

    transform: str
    blank: float | None


class FeatureSpec(Settings):
    """A fitted feature; each kind has its own class. ``column`` is the raw column to read.

    Specs of a vocabulary have an ``unseen_id``, which is written only where the vocabulary was extended.
    """

    kind: str
    name: str
    column: str
    reads: ClassVar[Literal["value", "number", "list"]] = "value"
    """What a cell of the column is."""
    keeps_cells: ClassVar[bool] = False
    """Whether its vocabulary holds values as they stand in the column, or in its lists."""

    @model_serializer(mode="wrap")
    def _omit_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if name != "unseen_id" or value is not None}

    @property
    @abstractmethod
    def feature(self) -> Feature:
        """The feature as models see it."""

    @abstractmethod
    def parse(self, source: CellSource) -> Cells:
        """Parse and check the cells of the column; texts are numbered by ``source.numbering``.

        Raises:
            DataError: a cell is wrong; the message names file, column, row and value.
        """

    @abstractmethod
    def encode(self, cells: Cells) -> NDArray[Any]:
        """Encode parsed cells whose texts are ids: int32 ids (row,) or (row, position), or float32 numbers (row,)."""

    @abstractmethod
    def describe(self) -> str:
        """Describe the feature in a few words: ``categorical``, ``sequence of 50``."""

    @abstractmethod
    def meaning(self, vocabulary: Vocabulary | None) -> IdMeaning | NumberMeaning:
        """Say what its ids or numbers stand for; ``vocabulary`` is given if the feature has one."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns to read: ``column``, and others if the feature compares them with it."""
        return (self.column,)

    @property
    def is_served(self) -> bool:
        """Whether one value takes the place of the column when scoring, so that rows may lack it."""
        return False

    @property
    def list_separator(self) -> str | None:
        """What stands between the elements of its lists in a text; None if a cell is a list, or no list at all."""
        return None

    def derived(self) -> dict[str, Any]:
        """Compute the values for JSON that an encoder outside this library needs beside the fields of this entry."""
        return {}

    @property
    def vocabulary_file(self) -> VocabularyFile | None:
        """File of its vocabulary, own or shared; None without one."""
        return None

    @property
    def vectors(self) -> PretrainedSpec | None:
        """Record of its pretrained vectors; None without any."""
        return None


def meaning_of_values(vocabulary: Vocabulary, *, rare_blanks_are_unknown: bool = False) -> IdMeaning:
    """Say what the ids of a vocabulary stand for.

    Args:
        vocabulary: the vocabulary, with its rule for blanks.
        rare_blanks_are_unknown: blanks without an id may have been too rare for one, so their number is unknown.

    Example:
        >>> import numpy as np
        >>> import polars as pl
        >>> meaning = meaning_of_values(Vocabulary(pl.Series(["a", ""]), np.array([5, 2])))
        >>> meaning.blank_ids, meaning.text_of(1)
        ((2,), 'a')
    """
    if vocabulary.blank == "out_of_vocabulary":
        return IdMeaning(None, vocabulary.text_of)
    if vocabulary.blank == "padding":
        return IdMeaning((PADDING_ID,), vocabulary.text_of)
    found = vocabulary.known_ids[(vocabulary.values == BLANK).to_numpy()]
    if not len(found) and rare_blanks_are_unknown:
        return IdMeaning(None, vocabulary.text_of)
    return IdMeaning(tuple(found.tolist()), vocabulary.text_of)
