"""Advise on a cell that should hold a number but holds another text: a time, a list, a decimal comma."""

from __future__ import annotations

import json
import re

import polars as pl

from rankelastor.data.cells.time_formats import parse_times

_RULES = (
    (
        re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}([T ].*)?"),
        "to use a time, write it as 2014-10-21T23:00:00 and try kind: calendar, format: iso",
    ),
    (re.compile(r"[+-]?\d+,\d+"), "write decimals with a point"),
    (
        re.compile(r"[+-]?\d{1,3}([,. \u00a0]\d{3})+([.,]\d+)?"),
        "write numbers without marks between thousands",
    ),
    (
        re.compile(r"[^\d\s.+-]{1,3}\s?[+-]?\d+(\.\d+)?|[+-]?\d+(\.\d+)?\s?[^\d\s]{1,3}"),
        "write the number without its unit, or try kind: categorical",
    ),
)
"""Advice for texts of a pattern, the first that fits."""

_SEPARATORS = "|;^, "
_OTHERWISE = "try kind: categorical, or csv.blanks if it means blank"


def advise_on_number(text: str) -> str:
    """Say which kind of field reads a text that is no number, or how to write the number.

    Example:
        >>> advise_on_number("2014-10-21T23:00:00"), advise_on_number("3|17|4")
        ('try kind: calendar, format: iso', 'try kind: sequence, separator: "|"')
        >>> advise_on_number("blue")
        'try kind: categorical, or csv.blanks if it means blank'
    """
    text = text.strip()
    if parse_times(pl.Series([text]), "iso").local.null_count() == 0:
        return "try kind: calendar, format: iso"
    fitting = [advice for pattern, advice in _RULES if pattern.fullmatch(text)]
    separator = _separator_of(text)
    if separator and not fitting:
        return f"try kind: sequence, separator: {json.dumps(separator)}"
    return (*fitting, _OTHERWISE)[0]


def _separator_of(text: str) -> str:
    """Find the mark between the numbers of a list; empty if the text is no list of numbers."""
    for mark in _SEPARATORS:
        parts = text.split(mark)
        if len(parts) > 1 and all(re.fullmatch(r"[+-]?\d+(\.\d+)?", part.strip()) for part in parts):
            return mark
    return ""
