"""The kind ``calendar``: hour, weekday and weekend of a timestamp column, each a categorical feature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray
from pydantic import Field

from rankelastor.data.cells.calendar_parts import CalendarPart, calendar_part, typed_calendar_part
from rankelastor.data.cells.number_texts import marks_of, plain_numbers
from rankelastor.data.cells.texts import BlankIds, CellTexts, cell_texts
from rankelastor.data.cells.time_formats import DIGITS_OF_EPOCHS, TimeFormat
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.data.kinds.feature_output import FeatureOutput
from rankelastor.data.kinds.field import ColumnSettings, FeatureFit, Reads
from rankelastor.data.kinds.spec import FeatureSpec, IdMeaning, VocabularyFile, meaning_of_values
from rankelastor.data.kinds.vocabulary_fit import VocabularyFeatureFit, VocabularyFit
from rankelastor.data.kinds.vocabulary_rules import VocabularyRules
from rankelastor.schema import CategoricalFeature


class CalendarField(ColumnSettings):
    """Calendar parts of a timestamp column, each a categorical feature named ``<column>_<part>``."""

    kind: Literal["calendar"]
    parts: tuple[CalendarPart, ...] = Field(
        ("hour", "weekday", "weekend"),
        min_length=1,
        description="The parts, each a feature: `hour` 0..23, `weekday` 0 (Monday)..6, `weekend` 0 or 1.",
    )
    format: TimeFormat = Field(
        description="How times are written: `yymmddhh` (14102123 is 2014-10-21 23h), `iso` (2014-10-21, "
        "2014-10-21T23:00:00+02:00), `epoch_seconds`, `epoch_milliseconds`, `epoch_microseconds`, `epoch_nanoseconds` "
        "(UTC), or a pattern of strptime such as `%d/%m/%Y %H:%M`. Dates and timestamps of Parquet are read whatever "
        "the format. Times are taken as written: offsets from UTC are not applied."
    )

    def plan(self, column: str) -> Iterator[PlannedCalendarPart]:
        """Plan a feature per part."""
        for part in self.parts:
            yield PlannedCalendarPart(f"{self.name or column}_{part}", column, self, part)


@dataclass(frozen=True)
class PlannedCalendarPart:
    """A calendar part to be fitted as a categorical feature with the default rules."""

    name: str
    column: str
    settings: CalendarField
    part: CalendarPart
    kind: ClassVar[str] = "calendar"
    reads: ClassVar[Reads] = "distinct_texts"
    width: ClassVar[int] = 1

    @property
    def vocabulary(self) -> VocabularyRules:
        """Rules of a vocabulary that no other feature may share."""
        return VocabularyRules(may_be_shared=False)

    def parse(self, source: CellSource) -> Cells:
        """Number the part of each timestamp."""
        return _number_parts(source, self.column, part=self.part, time_format=self.settings.format)

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        """Count the parts."""
        assert vocabulary is not None, "the feature has rules for a vocabulary"
        return VocabularyFeatureFit(vocabulary, None, self._spec)

    def _spec(self, file: str, num_ids: int, _output: FeatureOutput, vocabulary: Vocabulary) -> CalendarSpec:
        return CalendarSpec(
            name=self.name,
            column=self.column,
            part=self.part,
            format=self.settings.format,
            num_ids=num_ids,
            vocabulary=file,
            unseen_id=vocabulary.unseen_id,
        )


class CalendarSpec(FeatureSpec):
    """A fitted calendar part of a timestamp column; a blank timestamp is a value of its own."""

    kind: Literal["calendar"] = "calendar"
    part: CalendarPart
    format: TimeFormat
    num_ids: int
    vocabulary: str
    unseen_id: int | None = None

    @property
    def blank(self) -> BlankIds:
        """Rule for blanks: a blank timestamp is a value of its own."""
        return "value"

    @property
    def feature(self) -> CategoricalFeature:
        """The feature as models see it: one id per example."""
        return CategoricalFeature(self.name, self.num_ids, unseen_id=self.unseen_id)

    @property
    def vocabulary_file(self) -> VocabularyFile:
        """The vocabulary file of the part."""
        return VocabularyFile(self.vocabulary, self.num_ids, self.blank, unseen_id=self.unseen_id)

    def parse(self, source: CellSource) -> Cells:
        """Number the part of each timestamp."""
        return _number_parts(source, self.column, part=self.part, time_format=self.format)

    def encode(self, cells: Cells) -> NDArray[Any]:
        """Return the cells, which are ids already."""
        return cells.values

    def describe(self) -> str:
        """Name the kind and the part."""
        return f"calendar, {self.part}"

    def meaning(self, vocabulary: Vocabulary | None) -> IdMeaning:
        """Say what the ids stand for: values of the part, or a blank."""
        assert vocabulary is not None, "the feature has a vocabulary"
        return meaning_of_values(vocabulary)


def _number_parts(source: CellSource, column: str, *, part: CalendarPart, time_format: TimeFormat) -> Cells:
    texts = typed_calendar_part(source.rows, column, part)
    if texts is None:
        times = cell_texts(source.rows, column, source.blanks, source.spelling("as_written"), are_ids=False)
        marks = marks_of(source.rows.column(column), source.marks)
        if time_format in DIGITS_OF_EPOCHS and not marks.are_plain:
            plain = plain_numbers(times.values, marks)
            times = CellTexts(plain.zip_with(plain.is_not_null(), times.values), times.codes)
        texts = calendar_part(source.rows, column, times, part=part, time_format=time_format)
    return Cells(source.numbering.number(texts.values)[texts.codes])
