"""The table of field kinds. A new kind is one file in this folder and one line here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias, Union

from pydantic import Field

from rankelastor.data.kinds import (
    calendar,
    categorical,
    crossed,
    group,
    hashed,
    last_element,
    match,
    numeric,
    piecewise_linear,
    quantile,
    sequence,
)
from rankelastor.data.kinds.field import ColumnSettings
from rankelastor.data.kinds.spec import FeatureSpec


@dataclass(frozen=True)
class FieldKind:
    """A field kind: the class of its settings and the class of its fitted features (None if it makes no feature).

    ``further`` are the classes of fitted features that its settings may plan beside that one.
    """

    settings: type[ColumnSettings]
    spec: type[FeatureSpec] | None
    further: tuple[type[FeatureSpec], ...] = ()

    @property
    def specs(self) -> tuple[type[FeatureSpec], ...]:
        """All classes of its fitted features."""
        return self.further if self.spec is None else (self.spec, *self.further)

    @property
    def name(self) -> str:
        """Value of ``kind`` in the settings.

        Example:
            >>> [kind.name for kind in KINDS][:2]
            ['categorical', 'hashed']
        """
        (name,) = self.settings.model_fields["kind"].annotation.__args__  # type: ignore[union-attr] # a Literal of one
        assert isinstance(name, str)
        return name


KINDS: tuple[FieldKind, ...] = (
    FieldKind(categorical.CategoricalField, categorical.CategoricalSpec),
    FieldKind(hashed.HashedField, hashed.HashedSpec),
    FieldKind(crossed.CrossedField, crossed.CrossedSpec),
    FieldKind(sequence.SequenceField, sequence.SequenceSpec, further=(last_element.LastElementSpec, match.MatchSpec)),
    FieldKind(numeric.NumericField, numeric.NumericSpec),
    FieldKind(quantile.QuantileField, quantile.QuantileSpec),
    FieldKind(piecewise_linear.PiecewiseLinearField, piecewise_linear.PiecewiseLinearSpec),
    FieldKind(calendar.CalendarField, calendar.CalendarSpec),
    FieldKind(group.GroupField, None),
)

if TYPE_CHECKING:
    FieldSettings: TypeAlias = ColumnSettings
    AnyFeatureSpec: TypeAlias = FeatureSpec
else:
    # Pydantic chooses the class by ``kind``; an unknown kind is an error that lists the known kinds.
    FieldSettings = Annotated[Union[tuple(kind.settings for kind in KINDS)], Field(discriminator="kind")]  # noqa: UP007
    AnyFeatureSpec = Annotated[
        Union[tuple(spec for kind in KINDS for spec in kind.specs)],  # noqa: UP007 - built from the table
        Field(discriminator="kind"),
    ]
