"""Check that a file has the needed columns."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from rankelastor.errors import DataError
from rankelastor.remote.remote_path import AnyPath
from rankelastor.suggestions import did_you_mean

DELIMITERS = ";\t|,:^"
"""Delimiters of CSV files."""


def require_columns(names: Sequence[str], needed: Collection[str], file: AnyPath, *, advice: str = "") -> None:
    """Raise a ``DataError`` that names the columns and the nearest match if one of ``needed`` is missing.

    Example:
        >>> from pathlib import Path
        >>> require_columns(["click", "site"], ["label", "site"], Path("log.csv"))
        Traceback (most recent call last):
        rankelastor.errors.DataError: log.csv must have the column 'label', but has only 'click', 'site'
    """
    missing = [name for name in needed if name not in set(names)]
    if not missing:
        return
    noun = "column" if len(missing) == 1 else "columns"
    message = f"{file} must have the {noun} {quote_names(missing)}, but has only {quote_names(names)}"
    better = advise_on_delimiter(names, missing)
    near = did_you_mean(missing[0], names, quoted=True)
    raise DataError("; ".join(part for part in (message, *([better] if better else [near, advice])) if part))


def advise_on_delimiter(names: Sequence[str], wanted: Collection[str] = ()) -> str:
    """Advise on ``csv.delimiter`` if another mark separates the names; empty if they are names.

    Args:
        names: the column names of a file, as they were read.
        wanted: names of which at least one must appear; without any, every name but the first must.

    Example:
        >>> advise_on_delimiter(["click;site;device"], ["click"])
        'its cells seem to be separated by ";": try csv.delimiter: ";", or convert the file'
        >>> advise_on_delimiter(["click", "site"], ["label"])
        ''
    """
    for mark in DELIMITERS:
        parts = {part.strip().strip("\"'") for name in names for part in name.split(mark)} - set(names)
        if parts & set(wanted) if wanted else len(names) == 1 and len(parts) > 1:
            shown = json.dumps(mark)
            return f"its cells seem to be separated by {shown}: try csv.delimiter: {shown}, or convert the file"
    return ""


def require_different(names: Sequence[str], file: AnyPath, *, advice: str = "rename one") -> None:
    """Raise a ``DataError`` if a column name occurs twice."""
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"{file} must name each column once, but {quote_names(twice)} occurs twice; {advice}")


def quote_names(names: Collection[str], *, at_most: int = 40) -> str:
    """Quote names and join them to a readable list, cut after ``at_most`` names.

    Example:
        >>> quote_names(["a", "b", "c"], at_most=2)
        "'a', 'b' and 1 more"
    """
    shown = ", ".join(repr(name) for name in list(names)[:at_most])
    rest = len(names) - at_most
    return f"{shown} and {rest} more" if rest > 0 else shown or "none"
