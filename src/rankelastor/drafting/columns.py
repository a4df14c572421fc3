"""Choose what becomes of a column: its fields and the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from rankelastor.data.kinds.calendar import CalendarField
from rankelastor.data.kinds.categorical import CategoricalField
from rankelastor.data.kinds.field import ColumnSettings
from rankelastor.data.kinds.numeric import NumericField
from rankelastor.data.kinds.quantile import QuantileField
from rankelastor.data.kinds.sequence import SequenceField
from rankelastor.drafting.draft import ColumnChoice
from rankelastor.drafting.leaks import gives_label_away
from rankelastor.drafting.lists import find_lists, find_shared, looks_like_json
from rankelastor.drafting.profile import ColumnProfile, is_text
from rankelastor.drafting.times import TimeColumn

ID_WORDS = frozenset(
    {
        "id", "uid", "uuid", "guid", "user", "item", "ad", "advertiser", "campaign", "creative", "product", "sku",
        "site", "app", "device", "city", "country", "region", "zip", "postal", "category", "cat", "brand", "shop",
        "store", "query", "keyword", "title", "publisher", "domain", "hash", "code", "type", "class", "group",
        "customer", "member", "visitor", "session", "ip", "url", "slot", "banner",
    }
)  # fmt: skip
"""Words in the names of columns whose numbers are names, not amounts."""

AMOUNT_WORDS = frozenset(
    {
        "price", "amount", "count", "num", "number", "score", "rate", "age", "duration", "time", "length", "size",
        "weight", "cost", "income", "total", "mean", "average", "avg", "ratio", "share", "depth", "click", "view",
        "bid", "budget", "revenue", "value", "rank", "quantity", "qty", "balance", "temperature",
    }
)  # fmt: skip
"""Words in the names of columns whose numbers are amounts, as in ``item_price``."""

_KEY_WORDS = frozenset({"id", "uid", "uuid", "guid", "hash", "code", "zip"})
"""Words in the names of columns that hold names even where they are written like fractions."""

_FEW_VALUES = 50
_ROWS_PER_VALUE = 10
_MOST_INTEGER_VALUES = 10_000
_COUNTS_FALL = -0.5
_ROW_ID_SHARE = 0.98
_ROW_ID_ROWS = 50
_MANY_VALUES = 10_000
_LONG_TEXT = 60
_BUCKET_ROWS = 100
_BUCKETS = (10, 20)
_BEYOND_64_BITS = 2.0**63


@dataclass(frozen=True)
class Surroundings:
    """What a rule may look at besides the column: the other columns, the times, the label, the rows of the log."""

    profiles: Sequence[ColumnProfile]
    times: Mapping[str, TimeColumn]
    label: NDArray[np.bool_]
    num_rows: int


Rule = Callable[[ColumnProfile, Surroundings], ColumnChoice | None]


def choose_fields(profile: ColumnProfile, around: Surroundings) -> ColumnChoice:
    """Choose the fields of a column by the first rule of ``RULES`` that applies.

    Example:
        >>> import pyarrow as pa
        >>> from rankelastor.drafting.profile import profile_table
        >>> (column,) = profile_table(pa.table({"site": ["a", "b", "a", "c"]}))
        >>> choice = choose_fields(column, Surroundings((column,), {}, np.array([True, False, False, True]), 4))
        >>> choice.kinds, choice.reason
        ('categorical', '3 different texts')
    """
    return next(choice for rule in RULES if (choice := rule(profile, around)) is not None)


def _leave_out_what_no_field_reads(profile: ColumnProfile, _: Surroundings) -> ColumnChoice | None:
    if profile.cells is None:
        return _left_out(profile, f"no field reads the type {profile.type}")
    if not profile.name:
        return _left_out(profile, "it has no name; it is likely the index that pandas wrote")
    return None


def _leave_out_what_never_changes(profile: ColumnProfile, _: Surroundings) -> ColumnChoice | None:
    if not len(profile.distinct):
        return _left_out(profile, "every cell is blank")
    if len(profile.distinct) == 1 and not profile.num_blank:
        return _left_out(profile, f"the same value in every row: {_short(profile.distinct[0])}")
    return None


def _leave_out_leaks(profile: ColumnProfile, around: Surroundings) -> ColumnChoice | None:
    how = gives_label_away(profile, around.label)
    return None if how is None else _left_out(profile, f"it gives the label away: {how}")


def _sequence(profile: ColumnProfile, around: Surroundings) -> ColumnChoice | None:
    lists = None if profile.name in around.times or profile.numbers is not None else find_lists(profile)
    if lists is None:
        return None
    if not lists.elements:
        return _left_out(profile, "every list is empty")
    others = [other for other in around.profiles if other.name != profile.name]
    shared = find_shared(profile, lists, [other for other in others if _becomes_categorical(other, around)])
    field = SequenceField.model_validate(
        {"kind": "sequence", "column": profile.name}
        | ({} if lists.separator is None else {"separator": lists.separator})
        | {"max_length": lists.max_length}
        | ({} if shared is None else {"shares": shared, "last": 1, "matches": shared})
    )
    names = {feature.name for feature in field.plan(profile.name)}
    if names & {other.name for other in others}:
        field = field.model_copy(update={"name": f"{profile.name}_history"})
    what = "lists" if lists.separator is None else f"texts with {lists.separator!r} between elements"
    of = f", {len(lists.elements):,} different elements"
    if shared is not None:
        of = f"; the elements are values of {shared}, so the last one and matches with the row's are features too"
    return ColumnChoice(profile.name, (field,), f"{what}{of}; nearly all have at most {lists.max_length}")


def _calendar(profile: ColumnProfile, around: Surroundings) -> ColumnChoice | None:
    time = around.times.get(profile.name)
    if time is None:
        return None
    if not time.is_read:
        return _left_out(profile, f"a time, but calendar fields do not read its format ({time.format})")
    if not time.parts:
        return _left_out(profile, f"a time ({time.format}), but hour and weekday are the same in every row")
    taken = {f"{profile.name}_{part}" for part in time.parts} & {other.name for other in around.profiles}
    field = CalendarField.model_validate(
        {"kind": "calendar", "column": profile.name, "format": time.format, "parts": list(time.parts)}
        | ({"name": f"{profile.name}_calendar"} if taken else {})
    )
    return ColumnChoice(profile.name, (field,), f"a time ({time.format}); {_join(time.parts)} differ between rows")


def _leave_out_row_ids(profile: ColumnProfile, _: Surroundings) -> ColumnChoice | None:
    num_cells = profile.num_rows - profile.num_blank
    if num_cells < _ROW_ID_ROWS or len(profile.distinct) < _ROW_ID_SHARE * num_cells:
        return None
    if profile.numbers is not None and not _names_things(profile) and not _rises(profile):
        return None
    nearly = "" if len(profile.distinct) == num_cells else "nearly "
    return _left_out(profile, f"different in {nearly}every row, so nothing can be learned from it")


def _numbers(profile: ColumnProfile, around: Surroundings) -> ColumnChoice | None:
    if profile.numbers is None:
        return None
    num_values = len(profile.numbers)
    few = num_values <= (_FEW_VALUES if profile.is_integer else _FEW_VALUES // 2)
    if few and not (profile.blank_words and not profile.is_integer):
        return _categorical(profile, f"{num_values:,} different numbers only")
    if _names_things(profile):
        return _categorical(profile, f"{num_values:,} different numbers that name things")
    per_value = profile.num_rows / num_values
    often = per_value >= _ROWS_PER_VALUE and num_values <= _MOST_INTEGER_VALUES
    if profile.is_integer and often and not _counts_something(profile):
        return _categorical(profile, f"{num_values:,} different integers, each in {per_value:,.0f} rows on average")
    return _amount(profile, around.num_rows)


def _leave_out_other_texts(profile: ColumnProfile, _: Surroundings) -> ColumnChoice | None:
    if looks_like_json(profile):
        return _json(profile)
    if len(profile.distinct) * 2 > profile.num_rows and profile.distinct.str.len_chars().mean() > _LONG_TEXT:  # type: ignore[operator]
        return _left_out(profile, "long texts, most of them different")
    return None


def _texts(profile: ColumnProfile, _: Surroundings) -> ColumnChoice:
    what = "texts" if is_text(profile.type) else "values"
    return _categorical(profile, f"{len(profile.distinct):,} different {what}")


RULES: tuple[Rule, ...] = (
    _leave_out_what_no_field_reads,
    _leave_out_what_never_changes,
    _leave_out_leaks,
    _calendar,
    _sequence,
    _leave_out_row_ids,
    _numbers,
    _leave_out_other_texts,
    _texts,
)


def _categorical(profile: ColumnProfile, reason: str) -> ColumnChoice:
    rare = len(profile.distinct) > _MANY_VALUES
    values = {"kind": "categorical", "column": profile.name} | ({"min_count": 2} if rare else {})
    more = "; those seen once share an embedding" if rare else ""
    return ColumnChoice(profile.name, (CategoricalField.model_validate(values),), reason + more)


def _amount(profile: ColumnProfile, num_rows: int) -> ColumnChoice:
    """Choose buckets where each holds enough rows, else the number itself."""
    assert profile.numbers is not None, "the caller has looked"
    what = f"{len(profile.numbers):,} different numbers"
    column = {"column": profile.name}
    for num_buckets in reversed(_BUCKETS):
        if num_rows >= 2 * num_buckets * _BUCKET_ROWS:
            settings: ColumnSettings = QuantileField.model_validate(
                {"kind": "quantile", **column, "num_buckets": num_buckets}
            )
            return ColumnChoice(profile.name, (settings,), f"{what}: buckets of equally many rows")
    skewed = _is_skewed(profile)
    settings = NumericField.model_validate(
        {"kind": "numeric", **column, "transform": "log" if skewed else "standardise"}
    )
    why = "a few are far larger than most" if skewed else "no long tail"
    return ColumnChoice(profile.name, (settings,), f"{what}, too few rows for buckets, {why}")


def _json(profile: ColumnProfile) -> ColumnChoice:
    try:
        field = SequenceField.model_validate(
            {"kind": "sequence", "column": profile.name, "separator": "json", "max_length": 50}
        )
    except ValidationError:  # no sequence field reads them
        return _left_out(profile, "lists in brackets; write them with one character between elements: a|b|c")
    return ColumnChoice(profile.name, (field,), "lists in brackets, as JSON writes them")


def _becomes_categorical(profile: ColumnProfile, around: Surroundings) -> bool:
    if profile.lists is not None:
        return False
    rules: tuple[Rule, ...] = tuple(rule for rule in RULES if rule is not _sequence)
    choice = next(found for rule in rules if (found := rule(profile, around)) is not None)
    return choice.kinds == "categorical"


def _names_things(profile: ColumnProfile) -> bool:
    """Tell whether numbers are names: by the name of the column, or since they need more than 64 bits."""
    assert profile.numbers is not None, "the caller has looked"
    words = profile.words - AMOUNT_WORDS
    if words != profile.words or not profile.is_integer:
        return words == profile.words and bool(words & _KEY_WORDS)
    return bool(words & ID_WORDS) or float(np.abs(np.asarray(profile.numbers)).max()) >= _BEYOND_64_BITS


def _rises(profile: ColumnProfile) -> bool:
    """Tell whether integers grow by row, as row numbers do."""
    if not profile.is_integer or profile.cells is None:
        return False
    numbers = profile.cells.str.strip_chars(" \t").cast(float, strict=False).drop_nulls()
    return bool(numbers.is_sorted())


def _counts_something(profile: ColumnProfile) -> bool:
    """Tell whether small numbers are the frequent ones, as with counts, durations and prices."""
    from scipy.stats import spearmanr  # noqa: PLC0415 - takes .8 s, and few columns ask for it

    correlation = spearmanr(profile.numbers, profile.number_counts).statistic
    return bool(correlation <= _COUNTS_FALL)


def _is_skewed(profile: ColumnProfile) -> bool:
    numbers = np.repeat(np.asarray(profile.numbers), profile.number_counts)
    low, middle, high = np.quantile(numbers, [0.05, 0.5, 0.95])
    return bool(high - middle > 3 * (middle - low))


def _left_out(profile: ColumnProfile, reason: str) -> ColumnChoice:
    return ColumnChoice(profile.name, (), reason)


def _short(text: str) -> str:
    return repr(text if len(text) <= 30 else text[:29] + "…")  # noqa: PLR2004 - enough to know it by


def _join(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
