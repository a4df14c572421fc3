"""Recognise columns of lists: Arrow lists, and texts with a separator between elements."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from rankelastor.drafting.profile import ColumnProfile

_SEPARATORS = ("|", "^", ";", ",", " ")
_SURE = frozenset("|^")
"""Separators that stand in lists alone; the others also stand in names and sentences."""
_LEAST_SHARE = 0.2
_LONGEST_ELEMENT = 40
_MOST_POSITIONS = 100
_USUAL = 0.95
_MOST, _NEARLY_ALL = 0.5, 0.9
_TOO_MANY_FOR_CHANCE = 200
_FEW_TEXTS = 5


@dataclass(frozen=True)
class ListColumn:
    """A column of lists: the separator of its texts (None for Arrow lists) and its distinct elements."""

    separator: str | None
    elements: frozenset[str]
    max_length: int


def find_lists(profile: ColumnProfile) -> ListColumn | None:
    """Recognise a column of lists.

    A separator is one that a fifth of the cells hold at least, and that leaves at most half as many distinct elements
    as there are distinct cells: lists are made of the same few elements. Commas, semicolons and spaces must also give
    lists of different lengths, since names and addresses hold them too.

    Example:
        >>> import pyarrow as pa
        >>> from rankelastor.drafting.profile import profile_table
        >>> genres = ["Action|War", "War", "Drama|War", "Action|Drama", "Drama", "Action", "Action|Drama|War"]
        >>> (column,) = profile_table(pa.table({"genres": genres}))
        >>> find_lists(column).separator, sorted(find_lists(column).elements)
        ('|', ['Action', 'Drama', 'War'])
    """
    if profile.lists is not None:
        return ListColumn(None, _distinct(profile.lists), _usual_length(profile.lists))
    for separator in _SEPARATORS:
        if (found := _split(profile, separator)) is not None:
            return found
    return None


def looks_like_json(profile: ColumnProfile) -> bool:
    """Tell whether the cells are lists as JSON or Python writes them: ``["a", "b"]``."""
    return bool(len(profile.distinct)) and bool(profile.distinct.str.contains(r"^\s*\[.*\]\s*$").all())


def find_shared(profile: ColumnProfile, lists: ListColumn, others: Sequence[ColumnProfile]) -> str | None:
    """Find the column whose values the elements are.

    It shares a word of the name and holds most of them; or it holds nearly all, and they are too many, or no numbers,
    to be so by chance.
    """
    flat = [other for other in others if other.lists is None]
    by_name = [other for other in flat if (other.words & profile.words) - {"id"}]
    found = _best(lists, by_name, least=_MOST)
    if found is None and (len(lists.elements) >= _TOO_MANY_FOR_CHANCE or _are_texts(lists.elements)):
        found = _best(lists, flat, least=_NEARLY_ALL)
    return found


def _best(lists: ListColumn, columns: Sequence[ColumnProfile], *, least: float) -> str | None:
    by_share = {column.name: _share_held(lists.elements, column) for column in columns}
    best = max(by_share, key=lambda name: by_share[name], default=None)
    return best if best is not None and by_share[best] >= least else None


def _are_texts(elements: Collection[str]) -> bool:
    return len(elements) >= _FEW_TEXTS and not any(any(mark.isdigit() for mark in text[:1]) for text in elements)


def _share_held(elements: frozenset[str], other: ColumnProfile) -> float:
    smaller = min(len(elements), len(other.distinct))
    return len(elements & set(other.distinct)) / smaller if smaller else 0.0


def _split(profile: ColumnProfile, separator: str) -> ListColumn | None:
    holds = profile.distinct.str.contains(separator, literal=True)
    if not len(holds) or holds.mean() < _LEAST_SHARE:  # type: ignore[operator] # booleans have a mean
        return None
    lists = profile.distinct.str.split(separator)
    elements = _distinct(lists)
    if len(elements) * 2 > len(lists) or max(map(len, elements)) > _LONGEST_ELEMENT:
        return None
    if separator not in _SURE and lists.list.len().n_unique() == 1:
        return None
    return ListColumn(separator, elements, _usual_length(lists))


def _distinct(lists: pl.Series) -> frozenset[str]:
    return frozenset(lists.explode().drop_nulls().cast(pl.String).unique()) - {""}


def _usual_length(lists: pl.Series) -> int:
    """Compute the length that nearly all lists keep within."""
    usual = lists.list.len().fill_null(0).quantile(_USUAL, "higher")
    return max(1, min(_MOST_POSITIONS, int(usual or 1)))
