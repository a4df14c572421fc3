"""Parse label columns into 0 and 1."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Annotated, Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import (
    BeforeValidator,
    Field,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    StrictBool,
    StrictInt,
    StrictStr,
    model_serializer,
)

from rankelastor.config.base import Settings
from rankelastor.data.cells.number_texts import PLAIN, NumberMarks, marks_of, read_numbers
from rankelastor.data.cells.spelling import SPACES
from rankelastor.data.cells.texts import BLANK, cell_texts, spell_all, spell_blanks
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError, SettingsError

_TRUTH = {"true": 1.0, "false": 0.0}
_YES = ("yes", "y", "true", "t", "on", "positive", "pos", "click", "clicked", "+1", "1", "1.0")
_READ_AS_TRUTH = {True: ("yes", "on", "true"), False: ("no", "off", "false")}
"""Words that YAML reads as truth values, in any case."""

PositiveValue = StrictBool | StrictInt | FiniteFloat | Annotated[StrictStr, Field(min_length=1)]


class LabelSettings(Settings):
    """The column of a label, and which of its values counts as 1."""

    column: str = Field(min_length=1, description="The column of the label.")
    positive: PositiveValue | None = Field(
        None,
        description="The value that counts as 1; all others count as 0. A number is compared as a number. Texts that "
        "YAML reads as truth values (`yes`, `no`, `on`, `off`) must be quoted. Null: the column holds 0 and 1.",
    )

    @model_serializer(mode="wrap")
    def _column_alone_is_its_name(self, handler: SerializerFunctionWrapHandler) -> Any:
        return self.column if self.positive is None else handler(self)


def _from_name(value: object) -> object:
    if isinstance(value, str):
        return {"column": value}
    if isinstance(value, dict | LabelSettings):
        return value
    raise ValueError(f'must be a column name, or {{column: NAME, positive: "VALUE"}}, but {value!r} was given')


Label = Annotated[LabelSettings, BeforeValidator(_from_name, json_schema_input_type=str | LabelSettings)]
"""A label in the settings: a column name or a mapping."""


def parse_labels(
    rows: RawRows,
    label: LabelSettings,
    place: str = "data.label",
    *,
    blanks: Collection[str] = (),
    marks: NumberMarks = PLAIN,
) -> NDArray[np.float32]:
    """Parse a label column into float32 0 and 1, one per row. Spaces around a label are ignored.

    Without ``label.positive``, ``1``, ``1.0``, ``true`` and ``True`` count as 1.

    Args:
        rows: raw rows.
        label: the column, and the value that counts as 1.
        place: the path of the label in the settings, for messages.
        blanks: texts that mean blank, which is refused.
        marks: the decimal mark and the thousands separator of numbers that are written as text.

    Example:
        >>> from pathlib import Path
        >>> rows = RawRows(pa.RecordBatch.from_pydict({"bought": ["yes", "no"]}), Path("log.csv"))
        >>> parse_labels(rows, LabelSettings(column="bought", positive="yes")).tolist()
        [1.0, 0.0]

    Raises:
        DataError: a label is blank, or, without ``positive``, neither 0 nor 1; the message names file, column and row.
        SettingsError: ``positive`` is a truth value, but the column does not hold truth values.
    """
    texts = cell_texts(rows, label.column, blanks, "as_written", are_ids=False)
    marks = marks_of(rows.column(label.column), marks)
    known = spell_all(texts.values.str.strip_chars(SPACES).to_arrow().cast(pa.large_string()), blanks, "canonical")
    if label.positive is None:
        values, rule = _zero_or_one(known, marks), "the label must be 0 or 1"
    else:
        _refuse_truth_beside_text(rows, known, label, place)
        values, rule = _is_positive(known, label.positive, marks), "the label must not be blank"
    wrong = values.is_null().to_numpy()[texts.codes]
    if wrong.any():
        index = int(wrong.argmax())
        text = texts.values[int(texts.codes[index])]
        is_blank = known[int(texts.codes[index])] == BLANK
        given = "a blank" if is_blank else repr(text)
        advice = "fill it in, or leave the row out" if is_blank else _advise(texts.values, label.column, place)
        where = f"{rows.file}, column {label.column!r}, row {rows.row_number(index)}"
        raise DataError(f"{where}: {rule}, but {given} was given; {advice}")
    return values.fill_null(0.0).cast(pl.Float32).to_numpy()[texts.codes]


def _advise(texts: pl.Series, column: str, place: str) -> str:
    """Show the setting that names the value that counts as 1: a word that means yes, if the column holds one."""
    found = {text.lower(): text for text in texts if text != BLANK}
    yes = next((found[word] for word in _YES if word in found), None)
    if yes is None:
        return (
            f"fix the row, or name the value that counts as 1: {place}: {{column: {column}, positive: VALUE}}, with "
            "VALUE in quotes if it is a text"
        )
    written = yes if yes.lstrip("+-").isdecimal() else json.dumps(yes, ensure_ascii=False)
    return f"try {place}: {{column: {column}, positive: {written}}}"


def _zero_or_one(texts: pl.Series, marks: NumberMarks) -> pl.Series:
    """Parse each text as a label 0 or 1; null if it is neither."""
    lower = texts.str.to_lowercase()
    numbers = lower.replace_strict(_TRUTH, default=read_numbers(lower, marks), return_dtype=pl.Float64)
    return numbers.set(~numbers.is_in([0.0, 1.0]).fill_null(value=False), None)


def _is_positive(texts: pl.Series, positive: bool | float | str, marks: NumberMarks) -> pl.Series:  # noqa: FBT001 - a value, not a flag
    """Compare each text with the positive value: 1 if equal, 0 if not, null if blank."""
    if isinstance(positive, bool):
        found = texts == str(positive).lower()
    elif isinstance(positive, str):
        found = texts == spell_blanks([positive.strip(SPACES)], "canonical")[0]
    else:
        found = (read_numbers(texts, marks) == float(positive)).fill_null(value=False)
    labels = found.cast(pl.Float64)
    return labels.set(texts == BLANK, None)


def _refuse_truth_beside_text(rows: RawRows, texts: pl.Series, label: LabelSettings, place: str) -> None:
    if isinstance(label.positive, bool) and not texts.is_in([*_TRUTH, BLANK]).all():
        words = _READ_AS_TRUTH[label.positive]
        held = {text.lower(): text for text in texts}
        example = next((held[word] for word in words if word in held), words[0])
        raise SettingsError(
            f"{place}.positive must be a value of column {label.column!r}, but {rows.file} holds no truth values there "
            f"and {label.positive} was given; YAML reads a bare {words[0]}, {words[1]} or {words[2]} so: write "
            f'positive: "{example}" in quotes'
        )
