"""The steps of a field kind before its spec stands: settings, planned features, and their fits.

A kind is one file with three classes: settings (a ``ColumnSettings``) that plan features (each a ``PlannedFeature``),
and the spec (a ``FeatureSpec``) that a fit ends in. ``catalogue.py`` lists the kinds.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Protocol, Self

from pydantic import Field, model_validator

from rankelastor.config.base import Settings

if TYPE_CHECKING:
    from rankelastor.data.features.vector_settings import PretrainedSettings
    from rankelastor.data.kinds.cells import Cells, Source
    from rankelastor.data.kinds.feature_output import FeatureOutput
    from rankelastor.data.kinds.spec import FeatureSpec
    from rankelastor.data.kinds.vocabulary_fit import VocabularyFit
    from rankelastor.data.kinds.vocabulary_rules import VocabularyRules

ColumnPattern = Annotated[str, Field(min_length=1)]
FieldName = Annotated[str, Field(min_length=1)]

Reads = Literal["texts", "distinct_texts", "numbers"]
"""How a CSV column is read: text by text, each distinct text once, or as float64 where all cells are plain numbers."""


class ColumnSettings(Settings):
    """What every field says: the columns it reads.

    ``column`` is a column name, a pattern with ``*`` and ``?`` (``C*``), or a list of these; each matched
    column becomes a field of its own. A pattern never matches a label or weight column.
    ``name`` renames the field; it is allowed only where a single column is read. The default is the column's name.
    """

    column: ColumnPattern | Annotated[tuple[ColumnPattern, ...], Field(min_length=1)]
    name: FieldName | None = None
    kind: str

    names_group: ClassVar[bool] = False
    """Whether the column is the group of an example and no feature."""

    @abstractmethod
    def plan(self, column: str) -> Iterator[PlannedFeature]:
        """Plan the features that one matched column becomes."""

    @property
    def vectors(self) -> PretrainedSettings | None:
        """The pretrained vectors that the field brings along, if any."""
        return None

    @property
    def patterns(self) -> tuple[str, ...]:
        """The column names and patterns as a tuple."""
        return (self.column,) if isinstance(self.column, str) else self.column

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        twice = sorted({name for name in self.patterns if self.patterns.count(name) > 1})
        if twice:
            raise ValueError(f"column must name each column once, but {twice} stand there twice")
        return self

    @model_validator(mode="after")
    def _name_needs_one_column(self) -> Self:
        if self.name is not None and (len(self.patterns) != 1 or any(mark in self.patterns[0] for mark in "*?")):
            raise ValueError(
                f"name must stand beside a single column, but column {list(self.patterns)} may be several; "
                "leave name out, or list the columns one by one"
            )
        return self


class FeatureFit(Protocol):
    """Fits one feature in passes over the train rows, until it is ``done``."""

    @property
    def done(self) -> bool:
        """Whether no further pass is needed."""
        ...

    def add(self, cells: Cells) -> None:
        """Take some of the train rows of this pass."""
        ...

    def end_pass(self) -> None:
        """Note that every train row has been added once more."""
        ...

    def finish(self, output: FeatureOutput) -> FeatureSpec:
        """Return the fitted feature as it stands in ``schema.json``; write files of its own."""
        ...


class PlannedFeature(Protocol):
    """A feature to be made from one column: how its cells are parsed and how it is fitted.

    ``width`` is the number of cells that an encoded row has; ``vocabulary`` is None where no text has an id by count.
    """

    @property
    def name(self) -> str:
        """The feature's name."""
        ...

    @property
    def column(self) -> str:
        """The column it reads."""
        ...

    @property
    def kind(self) -> str:
        """The kind's name in the settings."""
        ...

    @property
    def reads(self) -> Reads:
        """How a CSV reader should read the column."""
        ...

    @property
    def width(self) -> int:
        """Cells of an encoded row."""
        ...

    @property
    def vocabulary(self) -> VocabularyRules | None:
        """The rules of its vocabulary, own or shared."""
        ...

    def parse(self, source: Source) -> Cells:
        """Parse and check the column's cells; the fitted feature's ``parse`` does the same.

        Raises:
            DataError: a cell is wrong; the message names file, column, row and value.
        """
        ...

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        """Begin to fit; ``vocabulary`` is given where there are rules for one."""
        ...


@dataclass
class NothingToFit:
    """The fit of a kind that learns nothing from the train rows.

    Example:
        >>> NothingToFit(spec=None).done
        True
    """

    spec: FeatureSpec
    done: ClassVar[bool] = True

    def add(self, cells: Cells) -> None:
        """Not called: it is done from the start."""

    def end_pass(self) -> None:
        """Not called: it is done from the start."""

    def finish(self, output: FeatureOutput) -> FeatureSpec:  # noqa: ARG002 - no file to write
        """Return the spec, which the settings alone determine."""
        return self.spec
