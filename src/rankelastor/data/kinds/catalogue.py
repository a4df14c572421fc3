"""The table of field kinds. A new kind is one file in this folder and one line here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias, Union

from pydantic import Field

from rankelastor.data.kinds import calendar, categorical, group, hashed, numeric, piecewise_linear, quantile, sequence
from rankelastor.data.kinds.field import ColumnSettings
from rankelastor.data.kinds.spec import FeatureSpec


@dataclass(frozen=True)
class FieldKind:
    """A field kind: the class of its settings and the class of its fitted features (None if it makes no feature)."""

    settings: type[ColumnSettings]
    spec: type[FeatureSpec] | None

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
    FieldKind(sequence.SequenceField, sequence.SequenceSpec),
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
        Union[tuple(kind.spec for kind in KINDS if kind.spec is not None)],  # noqa: UP007 - built from the table
        Field(discriminator="kind"),
    ]
