"""The interfaces of a field kind up to its fitted spec: settings, planned features, and their fits.

A kind is one file with three classes: settings (a ``ColumnSettings``) that plan features (each a ``PlannedFeature``),
and the spec (a ``FeatureSpec``) that results from a fit. ``catalogue.py`` lists the kinds.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Protocol, Self, runtime_checkable

from pydantic import Field, model_validator

from rankelastor.config.base import Settings

if TYPE_CHECKING:
    from rankelastor.data.cells.spelling import TextRule
    from rankelastor.data.features.vector_settings import PretrainedSettings
    from rankelastor.data.kinds.cells import Cells, CellSource
    from rankelastor.data.kinds.feature_output import FeatureOutput
    from rankelastor.data.kinds.spec import FeatureSpec
    from rankelastor.data.kinds.vocabulary_fit import VocabularyFit
    from rankelastor.data.kinds.vocabulary_rules import VocabularyRules

ColumnPattern = Annotated[str, Field(min_length=1)]
FieldName = Annotated[str, Field(min_length=1)]

BLANK_MEANING = (
    "What a blank cell means: `value` is a value of its own, `out_of_vocabulary` shares the row of unseen values, and "
    "`padding` is a zero vector."
)
"""Description of the setting ``blank`` of a field with ids."""
TEXT_MEANING = (
    "How texts are spelled: `canonical` reads `12.0` as `12` and `TRUE` as `true`, as the numbers and truth values of "
    "Parquet are; `as_written` changes no text."
)
"""Description of the setting ``text`` of a field of texts."""
UNIT_MEANING = (
    "The unit in which durations (how long), dates and timestamps (since 1970 in UTC) are counted, also times written "
    "as ISO texts; null refuses them."
)
"""Description of the setting ``unit`` of a field of numbers."""
INFINITE_MEANING = "Whether infinite numbers are refused or clipped to the finite numbers of the train split."
"""Description of the setting ``infinite`` of a field of numbers."""

Reads = Literal["texts", "distinct_texts", "numbers"]
"""How a CSV column is read: as plain text, dictionary-encoded, or as float64 if all cells are plain numbers."""


class ColumnSettings(Settings):
    """Settings common to all fields: the columns to read."""

    column: ColumnPattern | Annotated[tuple[ColumnPattern, ...], Field(min_length=1)] = Field(
        description="A column name, a pattern with `*` and `?` (`C*`), or a list of these; each matched column becomes "
        "a field of its own. A pattern never matches a label or weight column."
    )
    name: FieldName | None = Field(
        None, description="Name of the field, for a single column only; null means the name of the column."
    )
    kind: str

    names_group: ClassVar[bool] = False
    """Whether the column is the group of an example and not a feature."""

    @abstractmethod
    def plan(self, column: str) -> Iterator[PlannedFeature]:
        """Plan the features of one matched column."""

    @property
    def vectors(self) -> PretrainedSettings | None:
        """Settings of the pretrained vectors of the field; None if it has none."""
        return None

    @property
    def text_rule(self) -> TextRule:
        """Rule for texts of a field whose cells are values."""
        return "canonical"

    @property
    def patterns(self) -> tuple[str, ...]:
        """The column names and patterns as a tuple."""
        return (self.column,) if isinstance(self.column, str) else self.column

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        twice = sorted({name for name in self.patterns if self.patterns.count(name) > 1})
        if twice:
            raise ValueError(f"column must name each column once, but {twice} occur twice")
        return self

    @model_validator(mode="after")
    def _name_needs_one_column(self) -> Self:
        if self.name is not None and (len(self.patterns) != 1 or any(mark in self.patterns[0] for mark in "*?")):
            raise ValueError(
                f"name must be given for a single column only, but column {list(self.patterns)} may match several; "
                "leave name out, or list the columns one by one"
            )
        return self


class FeatureFit(Protocol):
    """The fit of one feature in passes over the train rows, until it is ``done``."""

    @property
    def done(self) -> bool:
        """Whether no further pass is needed."""
        ...

    def add(self, cells: Cells) -> None:
        """Add some of the train rows in this pass."""
        ...

    def end_pass(self) -> None:
        """End a pass, in which every train row was added once."""
        ...

    def finish(self, output: FeatureOutput) -> FeatureSpec:
        """Return the spec of the fitted feature for ``schema.json``; write the files of the feature, if any."""
        ...


class PlannedFeature(Protocol):
    """A feature before fitting: it parses the cells of one column and makes the fit.

    ``width`` is the number of cells per encoded row; ``vocabulary`` is None if the kind has no vocabulary.
    """

    @property
    def name(self) -> str:
        """Name of the feature."""
        ...

    @property
    def column(self) -> str:
        """Name of the column to read."""
        ...

    @property
    def kind(self) -> str:
        """Name of the kind in the settings."""
        ...

    @property
    def reads(self) -> Reads:
        """How to read the column of a CSV file."""
        ...

    @property
    def width(self) -> int:
        """Number of cells per encoded row."""
        ...

    @property
    def vocabulary(self) -> VocabularyRules | None:
        """Rules of its vocabulary, own or shared; None without one."""
        ...

    def parse(self, source: CellSource) -> Cells:
        """Parse and check the cells of the column, exactly as ``parse`` of the fitted feature does.

        Raises:
            DataError: a cell is wrong; the message names file, column, row and value.
        """
        ...

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        """Make the fit; ``vocabulary`` is given if the feature has rules for one."""
        ...


@runtime_checkable
class ReadsOtherColumns(Protocol):
    """A planned feature that reads other columns beside its own."""

    @property
    def other_setting(self) -> str:
        """Name of the setting that names the other columns."""
        ...

    @property
    def other_columns(self) -> tuple[str, ...]:
        """Names of the columns that it reads beside its own."""
        ...


def columns_of(feature: PlannedFeature) -> tuple[str, ...]:
    """List the columns that a feature reads, its own first.

    Example:
        >>> from rankelastor.data.kinds.sequence import SequenceField
        >>> field = SequenceField(kind="sequence", column="past", max_length=3, matches="item")
        >>> [columns_of(feature) for feature in field.plan("past")]
        [('past',), ('past', 'item'), ('past', 'item')]
    """
    return (feature.column, *(feature.other_columns if isinstance(feature, ReadsOtherColumns) else ()))


@dataclass
class NothingToFit:
    """The fit of a kind that needs no train rows.

    Example:
        >>> NothingToFit(spec=None).done
        True
    """

    spec: FeatureSpec
    done: ClassVar[bool] = True

    def add(self, cells: Cells) -> None:
        """Do nothing; never called, because the fit is done from the start."""

    def end_pass(self) -> None:
        """Do nothing; never called, because the fit is done from the start."""

    def finish(self, output: FeatureOutput) -> FeatureSpec:  # noqa: ARG002 - no file to write
        """Return the spec, which depends on the settings alone."""
        return self.spec
