"""The kind ``sequence``: a column of lists of values, such as a history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from numpy.typing import NDArray
from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt, model_validator

from rankelastor.data.cells.lists import JSON, pad_left
from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.data.kinds.feature_output import FeatureOutput
from rankelastor.data.kinds.field import (
    TEXT_MEANING,
    ColumnSettings,
    FeatureFit,
    FieldName,
    PlannedFeature,
    Reads,
)
from rankelastor.data.kinds.last_element import PlannedLastElement
from rankelastor.data.kinds.list_rules import ListRules
from rankelastor.data.kinds.match import MATCH_PARTS, MatchSpec, PlannedMatch
from rankelastor.data.kinds.sharing import refuse_rules_with_shares
from rankelastor.data.kinds.spec import FeatureSpec, IdMeaning, VocabularyFile, meaning_of_values
from rankelastor.data.kinds.vocabulary_fit import VocabularyFeatureFit, VocabularyFit
from rankelastor.data.kinds.vocabulary_rules import VocabularyRules
from rankelastor.schema import SequenceFeature


def _require_separator(separator: str) -> str:
    if separator != JSON and len(separator) != 1:
        raise ValueError(f"separator must be one character, json, or null, but {separator!r} was given")
    return separator


Separator = Annotated[str, AfterValidator(_require_separator)]


class SequenceField(ColumnSettings):
    """A column of lists of values: a history, or several values at once (genres ``Comedy|Drama``).

    The model takes the mean of the embeddings of the elements; a list without elements gives a zero vector. A blank
    element (null, empty between two separators, a text in ``csv.blanks``) keeps its position as padding, so that
    aligned lists stay aligned; it does not count in the mean.
    """

    kind: Literal["sequence"]
    separator: Separator | None = Field(
        None,
        description="The character between elements if the column is text, `json` if it holds lists as JSON or Python "
        "write them (`[1, 2]`); null if it holds Parquet lists. Spaces around elements that a character separates are "
        "ignored unless `text` is `as_written`.",
    )
    max_length: int = Field(
        ge=1,
        le=100_000,
        description="Number of elements that are used: the newest, which are the last ones of a list. Shorter lists "
        "are padded on the left.",
    )
    text: TextRule = Field("canonical", description=TEXT_MEANING)
    shares: FieldName | None = Field(
        None,
        description="The name of a categorical field (or of another sequence) whose vocabulary and embedding rows the "
        "elements use, as a history of items uses those of the item. One vocabulary then counts the train occurrences "
        "in all columns that share it. Null gives the elements a vocabulary of their own.",
    )
    min_count: PositiveInt = Field(
        1,
        description="With a vocabulary of its own, an element seen fewer times than this in the train split is out of "
        "vocabulary. Elements beyond `max_length` are not counted.",
    )

    last: NonNegativeInt = Field(
        0,
        description="Number of newest elements that are also features of their own, `<field>_last_1` (the newest), "
        "`<field>_last_2` and so on, with the embedding rows of the sequence; 0 for none.",
    )
    matches: FieldName | None = Field(
        None,
        description="A column of the candidate, such as the item or the category of the row, that is looked for among "
        "the elements: two features more, how often they hold its value (`<field>_times_seen`) and how many steps ago "
        "they last did (`<field>_steps_ago`; the newest element is 1). Null for none.",
    )

    def plan(self, column: str) -> Iterator[PlannedFeature]:
        """Plan the sequence, then its last elements and its matches."""
        name = self.name or column
        yield PlannedSequence(name, column, self)
        for place in range(1, self.last + 1):
            rules = ListRules(self.separator, place, self.text)
            yield PlannedLastElement(f"{name}_last_{place}", column, name, place, rules, self.shares or name)
        for part in MATCH_PARTS if self.matches is not None else ():
            yield PlannedMatch(
                MatchSpec(
                    name=f"{name}_{part}",
                    column=column,
                    part=part,
                    candidate=self.matches or "",
                    separator=self.separator,
                    max_length=self.max_length,
                    text=self.text,
                )
            )

    @model_validator(mode="after")
    def _last_elements_are_read(self) -> Self:
        if self.last > self.max_length:
            raise ValueError(
                f"last must be at most max_length = {self.max_length}, but {self.last} was given; try a larger "
                "max_length"
            )
        return self

    @model_validator(mode="after")
    def _the_shared_field_has_the_rules(self) -> Self:
        refuse_rules_with_shares(self.shares, min_count=self.min_count)
        return self


@dataclass(frozen=True)
class PlannedSequence:
    """A sequence feature to be fitted."""

    name: str
    column: str
    settings: SequenceField
    kind: ClassVar[str] = "sequence"
    reads: ClassVar[Reads] = "distinct_texts"

    @property
    def width(self) -> int:
        """Number of positions per encoded row."""
        return self.settings.max_length

    @property
    def vocabulary(self) -> VocabularyRules:
        """Rules of its vocabulary, own or shared; a blank element is always padding."""
        return VocabularyRules(self.settings.shares, self.settings.min_count, blank="padding", text=self.settings.text)

    def parse(self, source: CellSource) -> Cells:
        """Number the elements of each list."""
        settings = self.settings
        return _number_lists(source, self.column, ListRules(settings.separator, settings.max_length, settings.text))

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        """Count the elements."""
        assert vocabulary is not None, "the feature has rules for a vocabulary"
        return VocabularyFeatureFit(vocabulary, "padding", self._spec)

    def _spec(self, file: str, num_ids: int, _output: FeatureOutput, vocabulary: Vocabulary) -> SequenceSpec:
        return SequenceSpec(
            name=self.name,
            column=self.column,
            separator=self.settings.separator,
            max_length=self.settings.max_length,
            min_count=self.settings.min_count,
            text=self.settings.text,
            num_ids=num_ids,
            vocabulary=file,
            shares=self.settings.shares,
            unseen_id=vocabulary.unseen_id,
        )


class SequenceSpec(FeatureSpec):
    """A fitted sequence feature. ``vocabulary`` names its own file, or that of the feature it ``shares``."""

    kind: Literal["sequence"] = "sequence"
    reads: ClassVar[Literal["value", "number", "list"]] = "list"
    keeps_cells: ClassVar[bool] = True
    separator: str | None
    max_length: int
    min_count: int
    text: TextRule = "canonical"
    num_ids: int
    vocabulary: str
    shares: str | None = None
    unseen_id: int | None = None

    @property
    def list_separator(self) -> str | None:
        """What stands between the elements of a list in a text; None if a cell is a list."""
        return self.separator

    @property
    def feature(self) -> SequenceFeature:
        """The feature as models see it: one list of ids per example."""
        return SequenceFeature(self.name, self.num_ids, self.max_length, self.shares, self.unseen_id)

    @property
    def vocabulary_file(self) -> VocabularyFile:
        """The vocabulary file; a blank element is padding."""
        return VocabularyFile(self.vocabulary, self.num_ids, "padding", self.shares, self.unseen_id)

    def parse(self, source: CellSource) -> Cells:
        """Number the elements of each list."""
        return _number_lists(source, self.column, ListRules(self.separator, self.max_length, self.text))

    def encode(self, cells: Cells) -> NDArray[Any]:
        """Pad the lists of ids on the left: int32 (row, position)."""
        assert cells.offsets is not None, "parse returns lists"
        return pad_left(cells.values, cells.offsets, self.max_length)

    def describe(self) -> str:
        """Name the kind and the maximum length."""
        return f"sequence of {self.max_length}"

    def meaning(self, vocabulary: Vocabulary | None) -> IdMeaning:
        """Say what the ids stand for: values; padding stands for blank elements and for missing ones."""
        assert vocabulary is not None, "the feature has a vocabulary"
        return IdMeaning(None, meaning_of_values(vocabulary).text_of)


def _number_lists(source: CellSource, column: str, rules: ListRules) -> Cells:
    lists = rules.read(source, column)
    return Cells(source.numbering.number(lists.elements.values)[lists.elements.codes], lists.offsets)
