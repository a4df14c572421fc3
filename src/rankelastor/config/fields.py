"""Settings of fields: which columns there are and how each becomes a feature."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, PositiveInt, model_validator

from rankelastor.config.base import Settings

ColumnPattern = Annotated[str, Field(min_length=1)]

BlankIds = Literal["value", "out_of_vocabulary", "padding"]
NumericTransform = Literal["as_is", "log", "standardise", "min_max"]
CalendarPart = Literal["hour", "weekday", "weekend"]
TimeFormat = Literal["yymmddhh", "iso", "epoch_seconds"]


class ColumnSettings(Settings):
    """What every field says: the columns it reads.

    ``column`` is a column name, a pattern with ``*`` and ``?`` (``C*``), or a list of these; each matched
    column becomes a field of its own. A pattern never matches the label column.
    ``name`` renames the field; it is allowed only where a single column is read. The default is the column's name.
    """

    column: ColumnPattern | Annotated[tuple[ColumnPattern, ...], Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)] | None = None

    @property
    def patterns(self) -> tuple[str, ...]:
        """The column names and patterns as a tuple."""
        return (self.column,) if isinstance(self.column, str) else self.column

    @model_validator(mode="after")
    def _columns_differ(self) -> "ColumnSettings":
        twice = sorted({name for name in self.patterns if self.patterns.count(name) > 1})
        if twice:
            raise ValueError(f"column must name each column once, but {twice} stand there twice")
        return self

    @model_validator(mode="after")
    def _name_needs_one_column(self) -> "ColumnSettings":
        if self.name is not None and (len(self.patterns) != 1 or any(mark in self.patterns[0] for mark in "*?")):
            raise ValueError(
                f"name must stand beside a single column, but column {list(self.patterns)} may be several; "
                "leave name out, or list the columns one by one"
            )
        return self


class CategoricalField(ColumnSettings):
    """A column of values, each with an id and an embedding.

    ``min_count``: a value seen fewer times than this in the train split is out of vocabulary.
    ``blank``: a blank cell is a value of its own (``value``), out of vocabulary, or padding (a zero vector).
    """

    kind: Literal["categorical"] = "categorical"
    min_count: PositiveInt = 1
    blank: BlankIds = "value"


class NumericField(ColumnSettings):
    """A column of numbers x; the feature is x times one learned vector.

    ``transform``: ``as_is``; ``log`` is sign(x) * ln(1 + abs(x)); ``standardise`` subtracts the mean and divides by
    the standard deviation; ``min_max`` maps to 0..1. Mean, deviation and range are those of the train split.
    ``blank``: the number that a blank cell stands for, before the transform; null refuses blanks.
    """

    kind: Literal["numeric"]
    transform: NumericTransform = "as_is"
    blank: FiniteFloat | None = 0.0


class CalendarField(ColumnSettings):
    """Calendar parts of a timestamp column, each a categorical feature named ``<column>_<part>``.

    ``hour`` 0..23, ``weekday`` 0 (Monday)..6, ``weekend`` 0 or 1.
    ``format``: ``yymmddhh`` (14102123 is 2014-10-21 23h), ``iso`` (2014-10-21T23:00:00), ``epoch_seconds`` (UTC).
    """

    kind: Literal["calendar"]
    parts: Annotated[tuple[CalendarPart, ...], Field(min_length=1)] = ("hour", "weekday", "weekend")
    format: TimeFormat


class GroupField(ColumnSettings):
    """The column that names the group of an example (a user, say) for gAUC; it is no feature."""

    kind: Literal["group"]


FieldSettings = Annotated[CategoricalField | NumericField | CalendarField | GroupField, Field(discriminator="kind")]
