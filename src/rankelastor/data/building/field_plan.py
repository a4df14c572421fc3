"""Expand the declared fields against the columns that the files have: which column becomes which feature."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rankelastor.config.data import DataSettings, TimeSplit
from rankelastor.config.fields import (
    CalendarField,
    CalendarPart,
    CategoricalField,
    FieldSettings,
    GroupField,
    HashedField,
    NumericField,
    QuantileField,
    SequenceField,
)
from rankelastor.data.building.sharing import require_sharing_that_works
from rankelastor.data.raw.column_names import quoted, require_columns
from rankelastor.errors import DataError, SettingsError

_CALENDAR_DEFAULTS = CategoricalField(column="calendar part")


FeatureSettings = CategoricalField | HashedField | SequenceField | NumericField | QuantileField | CalendarField


@dataclass(frozen=True)
class PlannedFeature:
    """One feature to be: its name, the column it reads, and the settings of its field."""

    name: str
    column: str
    settings: FeatureSettings
    part: CalendarPart | None = None

    @property
    def vocabulary(self) -> str | None:
        """The feature whose vocabulary gives the ids: this one or the one it shares; None: it needs none."""
        match self.settings:
            case CategoricalField(shares=shares) | SequenceField(shares=shares):
                return shares or self.name
            case CalendarField():
                return self.name
            case _:
                return None

    @property
    def identity(self) -> CategoricalField:
        """How values become ids; parts of a calendar field have the defaults of a categorical one."""
        match self.settings:
            case CategoricalField() as field:
                return field
            case SequenceField(min_count=min_count):
                return CategoricalField(column=self.column, min_count=min_count, blank="padding")
            case _:
                assert isinstance(self.settings, CalendarField), "other fields have no vocabulary"
                return _CALENDAR_DEFAULTS


@dataclass(frozen=True)
class FieldPlan:
    """What is read from each row: the features in declared order, the label, the group, the time to split by."""

    features: tuple[PlannedFeature, ...]
    label: str
    group: str | None
    time: str | None

    @property
    def numeric(self) -> tuple[PlannedFeature, ...]:
        """The numeric features."""
        return tuple(feature for feature in self.features if isinstance(feature.settings, NumericField))

    @property
    def categorical(self) -> tuple[PlannedFeature, ...]:
        """All features that are one id a row, calendar parts, hashes and buckets among them."""
        others = NumericField | SequenceField
        return tuple(feature for feature in self.features if not isinstance(feature.settings, others))

    @property
    def sequences(self) -> tuple[PlannedFeature, ...]:
        """The sequence features."""
        return tuple(feature for feature in self.features if isinstance(feature.settings, SequenceField))

    @property
    def with_vocabulary(self) -> tuple[PlannedFeature, ...]:
        """The features whose ids come from a vocabulary, of their own or shared."""
        return tuple(feature for feature in self.features if feature.vocabulary is not None)

    @property
    def vocabularies(self) -> tuple[PlannedFeature, ...]:
        """The features that have a vocabulary of their own."""
        return tuple(feature for feature in self.features if feature.vocabulary == feature.name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column to read, each once."""
        others = (self.label, self.group, self.time)
        return tuple(dict.fromkeys([*(feature.column for feature in self.features), *filter(None, others)]))

    @property
    def distinct_columns(self) -> tuple[str, ...]:
        """The columns of which each distinct text is looked at once."""
        others = (self.label, self.group)
        as_text = [
            feature for feature in self.features if not isinstance(feature.settings, NumericField | QuantileField)
        ]
        return tuple(dict.fromkeys([*(feature.column for feature in as_text), *filter(None, others)]))


def plan_fields(settings: DataSettings, names: Sequence[str], file: Path) -> FieldPlan:
    """Expand the fields' patterns against the column names of the first file.

    Raises:
        DataError: a column is missing, or a pattern matches none.
        SettingsError: a feature is declared twice, or the label is declared as a field.
    """
    require_columns(names, [settings.label], file, advice="check data.label and csv.header")
    declared = [(place, name, feature) for place, name, feature in _expand(settings, names, file)]
    first_place: dict[str, str] = {settings.label: "data.label"}
    for place, name, _ in declared:
        if name in first_place:
            raise SettingsError(
                f"a feature must be declared once, but {name!r} comes from {first_place[name]} and from {place}; "
                "remove one of them, or set `name` for one"
            )
        first_place[name] = place
    features = tuple(feature for _, _, feature in declared if feature is not None)
    if not features:
        raise SettingsError("data.fields must hold a feature, but only a group was given; add a categorical field")
    require_sharing_that_works({feature.name: feature.settings for feature in features})
    time = settings.split.column if isinstance(settings.split, TimeSplit) else None
    if time is not None:
        require_columns(names, [time], file, advice="check data.split.column")
    return FieldPlan(features, settings.label, _group(settings, names, file), time)


def _expand(
    settings: DataSettings, names: Sequence[str], file: Path
) -> Iterator[tuple[str, str, PlannedFeature | None]]:
    """(place in the settings, name, feature); a group has a place and a name of its own kind, and no feature."""
    for index, field in enumerate(settings.fields):
        if isinstance(field, GroupField):
            continue
        place = f"data.fields.{index}"
        for column in _matched(field, names, settings.label, place, file):
            base = field.name or column
            if isinstance(field, CalendarField):
                for part in field.parts:
                    yield (
                        f"{place} ({_show(field)})",
                        f"{base}_{part}",
                        PlannedFeature(f"{base}_{part}", column, field, part),
                    )
            else:
                yield f"{place} ({_show(field)})", base, PlannedFeature(base, column, field)


def _group(settings: DataSettings, names: Sequence[str], file: Path) -> str | None:
    for index, field in enumerate(settings.fields):
        if isinstance(field, GroupField):
            columns = _matched(field, names, settings.label, f"data.fields.{index}", file)
            if len(columns) != 1:
                raise SettingsError(
                    f"data.fields.{index}: a group must be one column, but {_show(field)} matches {quoted(columns)}"
                )
            return columns[0]
    return None


def _matched(field: FieldSettings, names: Sequence[str], label: str, place: str, file: Path) -> list[str]:
    matched: dict[str, None] = {}
    for pattern in field.patterns:
        if pattern == label:
            raise SettingsError(f"{place}: a field must not read the label, but {pattern!r} is data.label; remove it")
        if pattern in names:
            matched[pattern] = None
        elif "*" in pattern or "?" in pattern:
            found = [name for name in names if name != label and _matches(pattern, name)]
            if not found:
                raise DataError(
                    f"{place}: the pattern {pattern!r} must match columns, but {file} has only {quoted(names)}"
                )
            matched.update(dict.fromkeys(found))
        else:
            require_columns(names, [pattern], file, advice=f"check {place}.column")
    return list(matched)


def _matches(pattern: str, name: str) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(mark, re.escape(mark)) for mark in pattern)
    return re.fullmatch(expression, name, flags=re.DOTALL) is not None


def _show(field: FieldSettings) -> str:
    return f"{field.kind} {', '.join(field.patterns)}"
