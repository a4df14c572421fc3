"""Find the label of a table, and which of its two values counts as 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.cells.labels import LabelSettings
from rankelastor.data.raw.column_names import quote_names
from rankelastor.drafting.draft import Choice
from rankelastor.drafting.profile import ColumnProfile
from rankelastor.errors import DataError

LABEL_NAMES = (
    "label", "click", "clicked", "is_click", "is_clicked", "clk", "target", "y", "converted", "conversion",
    "is_conversion", "purchase", "purchased", "bought", "buy", "ordered", "like", "liked", "is_like", "response",
    "outcome",
)  # fmt: skip
"""Names that labels have, the likeliest first."""

_ONES = (
    "1",
    "1.0",
    "+1",
    "true",
    "yes",
    "y",
    "t",
    "on",
    "positive",
    "pos",
    "click",
    "clicked",
    "buy",
    "bought",
    "like",
)
_ZEROS = frozenset({"0", "0.0", "-1", "-1.0", "false", "no", "n", "f", "off", "negative", "neg"})
_PLAIN = frozenset({"0", "1", "0.0", "1.0", "true", "false"})
_SHOWN = 6


def label_candidates(profiles: Sequence[ColumnProfile]) -> tuple[ColumnProfile, ...]:
    """List the columns that can be the label: two values and no blank; those whose names say so come first."""
    binary = [profile for profile in profiles if profile.lists is None and _is_binary(profile)]
    return tuple(sorted(binary, key=_place))


def surest_candidate(profiles: Sequence[ColumnProfile]) -> ColumnProfile | None:
    """Find the one candidate whose name is that of a label; None if there is none, or several."""
    named = [profile for profile in label_candidates(profiles) if _place(profile) < len(LABEL_NAMES)]
    return named[0] if len(named) == 1 else None


def choose_label(
    profiles: Sequence[ColumnProfile], *, label: str | None, positive: str | None
) -> Choice[LabelSettings]:
    """Choose the label: the column that was named, else the surest candidate.

    Raises:
        DataError: the column is missing, has blanks, or has not two values; or no column is surely the label.
    """
    if label is None:
        found = surest_candidate(profiles)
        if found is None:
            raise DataError(_which(profiles))
        return _read_label(found, positive, "two values, and the name of a label")
    named = [profile for profile in profiles if profile.name == label]
    if not named:
        raise DataError(
            f"the label must be a column, but {label!r} is none of {quote_names([each.name for each in profiles])}"
        )
    return _read_label(named[0], positive, "the label as given")


def label_of_rows(profile: ColumnProfile, settings: LabelSettings) -> NDArray[np.bool_]:
    """Compute the label of each row from the cells of its column."""
    assert profile.cells is not None, "labels are plain cells"
    cells = profile.cells.str.to_lowercase() if settings.positive is None else profile.cells
    ones = ["1", "1.0", "true"] if settings.positive is None else [str(settings.positive)]
    found: NDArray[np.bool_] = cells.is_in(ones).to_numpy()
    return found


def _read_label(profile: ColumnProfile, positive: str | None, reason: str) -> Choice[LabelSettings]:
    values = profile.distinct.to_list()
    shown = quote_names(values, at_most=_SHOWN)
    if profile.lists is not None or not values:
        raise DataError(f"the label must hold one value per row, but column {profile.name!r} does not; name another")
    if profile.num_blank:
        raise DataError(
            f"the label must not be blank, but column {profile.name!r} has {profile.num_blank:,} blanks in "
            f"{profile.num_rows:,} rows; fill them in, or leave these rows out"
        )
    if positive is not None:
        return _with_positive(profile, values, positive, shown)
    if len(values) != 2:  # noqa: PLR2004 - clicked or not
        raise DataError(
            f"the label must have two values, but column {profile.name!r} holds {shown}; "
            "give as `positive` the value that counts as 1, or name another column"
        )
    if set(map(str.lower, values)) <= _PLAIN:
        return Choice(LabelSettings(column=profile.name), reason)
    one, why = _positive_of(values)
    return Choice(LabelSettings(column=profile.name, positive=one), f"{reason}; {one!r} counts as 1: {why}")


def _with_positive(profile: ColumnProfile, values: list[str], positive: str, shown: str) -> Choice[LabelSettings]:
    if positive not in values or len(values) < 2:  # noqa: PLR2004 - another value must count as 0
        raise DataError(
            f"the positive value must be one of several in column {profile.name!r}, but {positive!r} was given and "
            f"the column holds {shown}"
        )
    return Choice(LabelSettings(column=profile.name, positive=positive), f"{positive!r} counts as 1, as given")


def _positive_of(values: list[str]) -> tuple[str, str]:
    """Choose the value that counts as 1; ``values`` are sorted, the more frequent first."""
    by_word = sorted(
        (value for value in values if value.lower() in _ONES), key=lambda value: _ONES.index(value.lower())
    )
    rest = [value for value in values if value not in by_word]
    if by_word:
        return by_word[0], "it is the word for it"
    if len(rest) == 2 and any(value.lower() in _ZEROS for value in rest):  # noqa: PLR2004 - clicked or not
        return next(value for value in rest if value.lower() not in _ZEROS), "the other one is a word for 0"
    return values[1], "it is the rarer one"


def _which(profiles: Sequence[ColumnProfile]) -> str:
    names = [profile.name for profile in label_candidates(profiles)]
    if not names:
        columns = quote_names([profile.name for profile in profiles])
        return f"a table must have a label, a column with two values, but none of {columns} has; name the label"
    first = f"try {names[0]!r}"
    return f"the label must be named, since {quote_names(names)} could be it; {first}"


def _is_binary(profile: ColumnProfile) -> bool:
    return len(profile.distinct) == 2 and not profile.num_blank  # noqa: PLR2004 - clicked or not


def _place(profile: ColumnProfile) -> int:
    name = profile.name.lower()
    return LABEL_NAMES.index(name) if name in LABEL_NAMES else len(LABEL_NAMES)
