"""Warn of texts that are probably not meant as values: names of a missing value, and spaces around a text."""

from __future__ import annotations

import logging
import threading

import polars as pl

from rankelastor.data.cells.spelling import SPACES

MISSING_NAMES = ("NaN", "nan", "NA", "N/A", "<NA>", "NaT", "None", "none", "null", "NULL", "Null")
"""Texts with which programs write a missing value. They are values (NA is Namibia) unless csv.blanks lists them."""

_LONGEST_NAME = max(map(len, MISSING_NAMES))

_logger = logging.getLogger(__name__)


class TextNotes:
    """Collector of warnings about the texts of columns, each logged once per column. Safe to share among threads.

    Example:
        >>> notes = TextNotes()
        >>> notes.look_at("country", pl.Series(["NA", "DE "]))  # two warnings are logged
        >>> notes.look_at("country", pl.Series(["NA"]))
    """

    def __init__(self) -> None:
        self._warned: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def look_at(self, column: str, texts: pl.Series) -> None:
        """Look at distinct texts of a column, and warn of those that are probably not meant as values."""
        short = texts.filter(texts.str.len_bytes() <= _LONGEST_NAME)
        missing = short.filter(short.is_in(list(MISSING_NAMES))).unique(maintain_order=True).to_list()
        for name in missing:
            if self._is_new(column, name):
                _logger.warning(
                    "column %s holds the text %s, which is a value like any other; if it means a missing value, "
                    "add it to csv.blanks",
                    column, name,
                )  # fmt: skip
        spaced = texts.filter(_has_spaces_around(texts))
        if len(spaced) and self._is_new(column, SPACES):
            _logger.warning(
                "column %s holds texts with spaces around them, such as %r, which are other values than without; "
                "remove the spaces if they mean nothing",
                column, spaced[0],
            )  # fmt: skip

    def _is_new(self, column: str, what: str) -> bool:
        with self._lock:
            is_new = (column, what) not in self._warned
            self._warned.add((column, what))
        return is_new


def _has_spaces_around(texts: pl.Series) -> pl.Series:
    found = texts.str.starts_with(SPACES[0]) | texts.str.ends_with(SPACES[0])
    return found | texts.str.starts_with(SPACES[1]) | texts.str.ends_with(SPACES[1])
