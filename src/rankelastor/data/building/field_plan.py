"""Match the declared fields with the columns of the files, and plan the feature of each column."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.kinds.field import ColumnSettings, PlannedFeature, ReadsOtherColumns, columns_of
from rankelastor.data.kinds.sharing import require_valid_sharing
from rankelastor.data.raw.column_names import advise_on_delimiter, quote_names, require_columns
from rankelastor.data.settings import DataSettings, Target
from rankelastor.data.split_settings import TimeSplit
from rankelastor.errors import DataError, SettingsError
from rankelastor.remote.remote_path import AnyPath


@dataclass(frozen=True)
class FieldPlan:
    """The columns to read: features and labels in declared order, and up to three others.

    ``group`` is the column of groups, ``time`` that of the time to split by, ``weight`` that of example weights; each
    may be None. ``group_text`` is the rule for texts of groups.
    """

    features: tuple[PlannedFeature, ...]
    targets: tuple[Target, ...]
    group: str | None
    time: str | None
    weight: str | None
    group_text: TextRule = "canonical"

    @property
    def vocabularies(self) -> tuple[PlannedFeature, ...]:
        """The features that own a vocabulary, in declared order."""
        return tuple(feature for feature in self.features if vocabulary_owner(feature) == feature.name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column to read, each once."""
        others = (*self._label_columns, self.group, self.time, self.weight)
        read = [column for feature in self.features for column in columns_of(feature)]
        return tuple(dict.fromkeys([*read, *filter(None, others)]))

    @property
    def distinct_columns(self) -> tuple[str, ...]:
        """The columns to read dictionary-encoded, so that each distinct text is parsed once."""
        texts = [feature for feature in self.features if feature.reads == "distinct_texts"]
        columns = [column for feature in texts for column in columns_of(feature)]
        return tuple(dict.fromkeys([*columns, *self._label_columns, *filter(None, [self.weight])]))

    @property
    def number_columns(self) -> tuple[str, ...]:
        """The columns that are read as numbers only."""
        texts = {*self._label_columns, self.group, self.time, self.weight} | {
            column for feature in self.features if feature.reads != "numbers" for column in columns_of(feature)
        }
        return tuple(dict.fromkeys(feature.column for feature in self.features if feature.column not in texts))

    @property
    def target_columns(self) -> tuple[str, ...]:
        """The columns of labels and weight: their cells are numbers, whatever their stored type."""
        return tuple(filter(None, [*self._label_columns, self.weight]))

    @property
    def _label_columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(target.label.column for target in self.targets))


def vocabulary_owner(feature: PlannedFeature) -> str | None:
    """Name the feature that owns the vocabulary of ``feature``: itself or the shared one; None without vocabulary."""
    rules = feature.vocabulary
    return None if rules is None else rules.shares or feature.name


def plan_fields(settings: DataSettings, names: Sequence[str], file: AnyPath) -> FieldPlan:
    """Match the patterns of the fields with the column names of the first file.

    Raises:
        DataError: a column is missing, or a pattern matches none.
        SettingsError: a feature is declared twice, or the label is declared as a field.
    """
    for target in settings.targets:
        require_columns(names, [target.label.column], file, advice=f"check {target.place} and csv.header")
    if settings.weight is not None:
        require_columns(names, [settings.weight], file, advice="check data.weight")
    declared = list(_expand(settings, names, file))
    first_place = {target.task: target.place for target in settings.targets}
    for place, feature in declared:
        if feature.name in first_place:
            raise SettingsError(
                f"a feature must be declared once, but {feature.name!r} comes from {first_place[feature.name]} and "
                f"from {place}; remove one of them, or set `name` for one"
            )
        first_place[feature.name] = place
    features = tuple(feature for _, feature in declared)
    if not features:
        raise SettingsError("data.fields must hold a feature, but only a group was given; try a categorical field")
    require_valid_sharing(features)
    time = settings.split.column if isinstance(settings.split, TimeSplit) else None
    if time is not None:
        require_columns(names, [time], file, advice="check data.split.column")
    group = _group(settings, names, file)
    return FieldPlan(features, settings.targets, group, time, settings.weight, settings.group_text)


def _expand(settings: DataSettings, names: Sequence[str], file: AnyPath) -> Iterator[tuple[str, PlannedFeature]]:
    """Yield each feature with its place in the settings; a group is not a feature."""
    reserved = _reserved(settings)
    for index, field in enumerate(settings.fields):
        place = f"data.fields.{index}"
        if field.names_group:
            continue
        for column in _match_columns(field, names, reserved, place, file):
            for feature in field.plan(column):
                _check_other_columns(feature, names, reserved, place, file)
                yield f"{place} ({_show(field)})", feature


def _group(settings: DataSettings, names: Sequence[str], file: AnyPath) -> str | None:
    for index, field in enumerate(settings.fields):
        if field.names_group:
            columns = _match_columns(field, names, _reserved(settings), f"data.fields.{index}", file)
            if len(columns) != 1:
                raise SettingsError(
                    f"data.fields.{index}: a group must be one column, "
                    f"but {_show(field)} matches {quote_names(columns)}"
                )
            return columns[0]
    return None


def _reserved(settings: DataSettings) -> dict[str, str]:
    """Map each column that no field may read to the setting that reads it."""
    reserved = {} if settings.weight is None else {settings.weight: "data.weight"}
    return reserved | {target.label.column: target.place for target in settings.targets}


def _match_columns(
    field: ColumnSettings, names: Sequence[str], reserved: Mapping[str, str], place: str, file: AnyPath
) -> list[str]:
    matched: dict[str, None] = {}
    for pattern in field.patterns:
        _refuse_reserved(pattern, reserved, place)
        if pattern in names:
            matched[pattern] = None
        elif "*" in pattern or "?" in pattern:
            found = [name for name in names if name not in reserved and _matches(pattern, name)]
            if not found:
                advice = advise_on_delimiter(names)
                raise DataError(
                    f"{place}: the pattern {pattern!r} must match columns, but {file} has only {quote_names(names)}"
                    + (f"; {advice}" if advice else "")
                )
            matched.update(dict.fromkeys(found))
        else:
            require_columns(names, [pattern], file, advice=f"check {place}.column")
    return list(matched)


def _check_other_columns(
    feature: PlannedFeature, names: Sequence[str], reserved: Mapping[str, str], place: str, file: AnyPath
) -> None:
    if not isinstance(feature, ReadsOtherColumns):
        return
    for column in feature.other_columns:
        _refuse_reserved(column, reserved, place)
        require_columns(names, [column], file, advice=f"check {place}.{feature.other_setting}")


def _refuse_reserved(column: str, reserved: Mapping[str, str], place: str) -> None:
    if column in reserved:
        what = "weight" if reserved[column] == "data.weight" else "label"
        raise SettingsError(
            f"{place}: a field must not read the {what}, but {column!r} is {reserved[column]}; remove it"
        )


def _matches(pattern: str, name: str) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(mark, re.escape(mark)) for mark in pattern)
    return re.fullmatch(expression, name, flags=re.DOTALL) is not None


def _show(field: ColumnSettings) -> str:
    return f"{field.kind} {', '.join(field.patterns)}"
