"""Settings of fields: which columns there are and how each becomes a feature."""

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, PositiveInt, model_validator

from rankelastor.config.base import Settings
from rankelastor.config.pretrained import PretrainedSettings

ColumnPattern = Annotated[str, Field(min_length=1)]

FieldName = Annotated[str, Field(min_length=1)]

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
    ``shares``: the name of a categorical or sequence field whose vocabulary and embedding rows this one uses. One
    vocabulary then counts the train occurrences in all columns that share it; ``min_count`` and ``blank`` are those
    of the field that is shared.
    ``pretrained``: vectors that take the place of learned embedding rows; a learned linear map gives them the
    model's width.
    """

    kind: Literal["categorical"] = "categorical"
    min_count: PositiveInt = 1
    blank: BlankIds = "value"
    shares: FieldName | None = None
    pretrained: PretrainedSettings | None = None

    @model_validator(mode="after")
    def _the_shared_field_has_the_rules(self) -> Self:
        _refuse_rules_beside_shares(self.shares, min_count=self.min_count, blank=self.blank)
        if self.shares is not None and self.pretrained is not None:
            raise ValueError(f"pretrained must be left out beside shares; set it for the field {self.shares!r}")
        return self


class HashedField(ColumnSettings):
    """A column of values whose ids are hashes: as many embedding rows as buckets, however many values there are.

    A value goes to bucket 1 + murmurhash3_32(its UTF-8 bytes, seed 0) mod ``num_buckets``, on every machine and in
    every version. No value is out of vocabulary: one that training has not seen falls into a bucket too.
    ``blank``: a blank cell is a value like any other (``value``), out of vocabulary, or padding (a zero vector).
    """

    kind: Literal["hashed"]
    num_buckets: Annotated[int, Field(ge=1, le=2**31 - 3)]
    blank: BlankIds = "value"


class SequenceField(ColumnSettings):
    """A column of lists of values: a history, or several values at once (genres ``Comedy|Drama``).

    Only the newest ``max_length`` elements count: the last ones of a list. Shorter lists are padded on the left. The
    model takes the mean of the elements' embeddings; a list without elements gives a zero vector.

    ``separator``: the character between elements where the column is text; null where it holds Parquet lists.
    ``shares``: the name of a categorical field (or of another sequence) whose vocabulary and embedding rows the
    elements use, as a history of items uses those of the item. One vocabulary then counts the train occurrences in
    all columns that share it. Null gives the elements a vocabulary of their own.
    ``min_count``: with a vocabulary of its own, an element seen fewer times than this in the train split is out of
    vocabulary. Elements beyond ``max_length`` are not counted.

    A blank element (null, nothing between two separators, a text in ``csv.blanks``) keeps its place as padding, so
    that aligned lists stay aligned; it does not count in the mean.
    """

    kind: Literal["sequence"]
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    max_length: Annotated[int, Field(ge=1, le=100_000)]
    shares: FieldName | None = None
    min_count: PositiveInt = 1

    @model_validator(mode="after")
    def _the_shared_field_has_the_rules(self) -> Self:
        _refuse_rules_beside_shares(self.shares, min_count=self.min_count)
        return self


class NumericField(ColumnSettings):
    """A column of numbers x; the feature is x times one learned vector.

    ``transform``: ``as_is``; ``log`` is sign(x) * ln(1 + abs(x)); ``standardise`` subtracts the mean and divides by
    the standard deviation; ``min_max`` maps to 0..1. Mean, deviation and range are those of the train split.
    ``blank``: the number that a blank cell stands for, before the transform; null refuses blanks.
    """

    kind: Literal["numeric"]
    transform: NumericTransform = "as_is"
    blank: FiniteFloat | None = 0.0


class QuantileField(ColumnSettings):
    """A column of numbers cut into buckets of equal mass, each with an embedding.

    The edges are exact quantiles of the train split: bucket k starts at the number that stands at place
    floor(k * rows / ``num_buckets``) of the sorted column. Where equal numbers make edges fall together there are
    fewer buckets.
    ``blank``: a blank cell has an id of its own (``value``), is out of vocabulary, or padding (a zero vector).
    """

    kind: Literal["quantile"]
    num_buckets: Annotated[int, Field(ge=2, le=1024)]
    blank: BlankIds = "value"


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


FieldSettings = Annotated[
    CategoricalField | HashedField | SequenceField | NumericField | QuantileField | CalendarField | GroupField,
    Field(discriminator="kind"),
]


def _refuse_rules_beside_shares(shares: str | None, *, min_count: int, blank: BlankIds = "value") -> None:
    if shares is None:
        return
    for name, given, default in (("min_count", min_count, 1), ("blank", blank, "value")):
        if given != default:
            raise ValueError(
                f"{name} must be left out beside shares, but {given!r} was given: the vocabulary is that of "
                f"{shares!r}; set it there"
            )
