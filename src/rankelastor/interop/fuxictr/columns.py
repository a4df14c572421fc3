"""Translate the feature columns of FuxiCTR to settings of our fields, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rankelastor.errors import SettingsError
from rankelastor.interop.fuxictr.column_parts import Column, pretrained_settings, sequence_rules, source_column
from rankelastor.interop.fuxictr.notes import FuxiCtrSettings, Note

_BUCKETS_FOR_LOG_SQUARES = 50
_DEFAULT_BUCKETS = 10
_CALENDAR = {"convert_hour": "hour", "convert_weekday": "weekday", "convert_weekend": "weekend"}
_NORMALIZERS = {"StandardScaler": "standardise", "MinMaxScaler": "min_max"}
_PROCESSORS = {"quantile_bucket": "quantile", "hash_bucket": "hashed"}

Field = dict[str, Any]


def data_fields(dataset: FuxiCtrSettings, model: FuxiCtrSettings, *, folder: str, embedding_dim: int) -> list[Field]:
    """Make ``data.fields`` from ``feature_cols``.

    Args:
        dataset: settings of the data set.
        model: settings of the model, of which ``use_features`` and ``feature_specs`` change the columns.
        folder: folder of the raw files; paths of pretrained vectors are relative to it.
        embedding_dim: width of the model, to find columns with another width.

    Raises:
        SettingsError: a column has a type or a preprocessing that FuxiCTR does not have, or several labels are given.
    """
    min_count = dataset.whole("min_categr_count", 1)
    num_buckets = dataset.whole("num_buckets", _DEFAULT_BUCKETS)
    group = dataset.take("group_id", model.take("group_id"))
    fields: list[Field] = []
    for values in _expand(dataset.take("feature_cols", []), model):
        column = Column(
            FuxiCtrSettings(values, f"feature_cols.{values['name']}.", []),
            folder=folder,
            embedding_dim=embedding_dim,
            min_count=min_count,
            num_buckets=num_buckets,
        )
        field = _field(column, group=group)
        column.settings.note_rest("no equal", "it has no meaning for this type of column")
        dataset.notes.extend(column.settings.notes)
        if field is not None:
            fields.append(field)
    if group is not None and not any(field["kind"] == "group" for field in fields):
        fields.append({"kind": "group", "column": group, "name": f"{group}_group"})
    dataset.notes[:] = _merge_notes(dataset.notes)
    return list(_merge_neighbours(fields))


def label_column(dataset: FuxiCtrSettings) -> str:
    """Read the name of the label.

    Raises:
        SettingsError: there is no label, or several.
    """
    labels = dataset.take("label_col", [])
    labels = labels if isinstance(labels, list) else [labels]
    if len(labels) != 1 or "name" not in labels[0]:
        raise SettingsError(
            f"label_col must name one label, but {labels!r} was given; several tasks have no equal here"
        )
    return str(labels[0]["name"])


def _expand(columns: Any, model: FuxiCtrSettings) -> Iterator[dict[str, Any]]:
    """Iterate over the active columns, one mapping each, with the changes of the model's settings."""
    if not isinstance(columns, list) or not columns:
        raise SettingsError(f"feature_cols must be a list of columns, but {columns!r} was given")
    changes = _by_name(model.take("feature_specs", []))
    wanted = model.take("use_features")
    expanded = [
        column | changes.get(column["name"], {})
        for column in _by_one_name(columns)
        if column.get("active", True) is not False
    ]
    if wanted is None:
        yield from expanded
        return
    named = {column["name"]: column for column in expanded}
    if unknown := [name for name in wanted if name not in named]:
        model.note("no equal", "use_features", f"no active column is named {', '.join(map(str, unknown))}")
    yield from (named[name] for name in wanted if name in named)
    yield from (column for column in expanded if column.get("type") == "meta" and column["name"] not in wanted)


def _by_one_name(columns: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for place, column in enumerate(columns):
        if not isinstance(column, dict) or "name" not in column:
            raise SettingsError(f"feature_cols.{place} must have a name, but {column!r} was given")
        names = column["name"] if isinstance(column["name"], list) else [column["name"]]
        yield from ({**column, "name": str(name)} for name in names)


def _by_name(specs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {spec["name"]: {**spec} for spec in _by_one_name(specs)} if specs else {}


def _field(column: Column, *, group: str | None) -> Field | None:
    kinds: dict[str, Callable[[Column], Field]] = {
        "numeric": _numeric,
        "categorical": _categorical,
        "sequence": _sequence,
    }
    kind = column.settings.take("type")
    if kind == "meta":
        return _meta(column, group=group)
    column.note_common()
    if kind not in kinds:
        raise SettingsError(
            f"{column.settings.path}type must be one of {[*kinds, 'meta']}, but {kind!r} was given; "
            "correct feature_cols"
        )
    return kinds[kind](column)


def _meta(column: Column, *, group: str | None) -> Field | None:
    for key in ("active", "dtype", "remap"):
        column.settings.take(key)
    if column.name != group:
        column.settings.note("no equal", "type", "a meta column that is not group_id is not read")
        return None
    return {"kind": "group", **source_column(column)}


def _numeric(column: Column) -> Field:
    if column.preprocess[0] == "convert_to_bucket":
        return _log_squares(column)
    field: Field = {"kind": "numeric", **source_column(column)}
    normalizer = column.settings.take("normalizer")
    if normalizer in _NORMALIZERS:
        field["transform"] = _NORMALIZERS[normalizer]
    elif normalizer is not None:
        column.settings.note("no equal", "normalizer", "numbers are not scaled")
    blank = column.settings.real("fill_na", 0.0)
    return field if blank == 0 else field | {"blank": blank}


def _categorical(column: Column) -> Field:
    preprocess, argument = column.preprocess
    if preprocess in _CALENDAR:
        column.settings.take("fill_na")
        part = _CALENDAR[preprocess]
        return {"kind": "calendar", "column": argument or "hour", "format": "yymmddhh", "parts": [part]}
    if preprocess == "convert_to_bucket":
        return _log_squares(column)
    processor = column.settings.take("category_processor")
    if processor is not None:
        return _bucket_field(column, processor)
    field: Field = {"kind": "categorical", **source_column(column)}
    share = column.settings.take("share_embedding")
    if share is not None:
        column.note_sharing(share)
        return field | {"shares": share}
    return field | {"min_count": column.own_min_count()} | _blanks(column) | pretrained_settings(column)


def _log_squares(column: Column) -> Field:
    text = "floor(ln(x)^2) for x > 2 has no equal; quantile buckets of the train split are used instead"
    column.settings.note("no equal", "preprocess", text)
    return {"kind": "quantile", **source_column(column), "num_buckets": _BUCKETS_FOR_LOG_SQUARES}


def _bucket_field(column: Column, processor: str) -> Field:
    if processor not in _PROCESSORS:
        raise SettingsError(
            f"{column.settings.path}category_processor must be one of {list(_PROCESSORS)}, but {processor!r} was given"
        )
    buckets = column.settings.whole("num_buckets", column.num_buckets)
    return {"kind": _PROCESSORS[processor], **source_column(column), "num_buckets": buckets}


def _blanks(column: Column) -> Field:
    """Translate blanks: in FuxiCTR a blank text is out of vocabulary, and a blank number becomes 0."""
    fill = column.settings.take("fill_na")
    if not column.is_text and fill is None:
        column.settings.note(
            "differs", "dtype", "a blank is a separate value here; in FuxiCTR it counts as the value 0"
        )
        return {}
    if fill not in {None, ""}:
        text = "cells with exactly this text are out of vocabulary in FuxiCTR, like blanks; here they are a value"
        column.settings.note("differs", "fill_na", text)
    return {"blank": "out_of_vocabulary"}


def _sequence(column: Column) -> Field:
    field: Field = {"kind": "sequence", **source_column(column), **sequence_rules(column)}
    share = column.settings.take("share_embedding")
    if share is not None:
        column.note_sharing(share)
        column.settings.take("pretrained_emb")
        return field | {"shares": share}
    if column.settings.take("pretrained_emb") is not None:
        text = (
            "a sequence takes vectors by `shares` from a categorical field that has them; learned rows are used instead"
        )
        column.settings.note("no equal", "pretrained_emb", text)
    return field | {"min_count": column.own_min_count()}


def _merge_neighbours(fields: Sequence[Field]) -> Iterator[Field]:
    """Merge neighbouring fields that differ only in their column into one entry with a list of columns."""

    def rules(field: Field) -> str:
        alone = "name" in field or field["kind"] in {"group", "calendar"}
        return repr(field) if alone else repr({key: value for key, value in field.items() if key != "column"})

    for _, group in groupby(fields, key=rules):
        members = list(group)
        columns = [member["column"] for member in members]
        yield members[0] | {"column": columns} if len(members) > 1 else members[0]


def _merge_notes(notes: Sequence[Note]) -> Iterator[Note]:
    """Merge notes with the same text on several columns into one."""
    places: dict[tuple[str, str, str, str], list[Note]] = {}
    for note in notes:
        prefix, dot, rest = note.setting.partition(".")
        key = rest.rpartition(".")[2] if prefix == "feature_cols" and dot else note.setting
        places.setdefault((note.outcome, key, repr(note.value), note.text), []).append(note)
    for same in places.values():
        first, last = same[0], same[-1]
        if len(same) == 1:
            yield first
            continue
        names = [note.setting.split(".")[1] for note in same]
        key = first.setting.rpartition(".")[2]
        shown = ", ".join(names) if len(names) <= 3 else f"{names[0]} ... {last.setting.split('.')[1]}"  # noqa: PLR2004 - fits a line
        yield Note(first.outcome, f"feature_cols.({shown}).{key}", first.value, first.text)
