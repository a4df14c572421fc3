"""The exceptions for mistakes that a user can correct, as opposed to bugs of this package.

.. code-block:: text

    RankElastorError            shown by the command line without a traceback, exit code 2
    ├── SettingsError           a setting is wrong, or settings contradict each other
    ├── DataError               raw files or prepared data are wrong; names file, column and row
    │   └── StalePreparedError  a prepared folder was made from other settings or other source files
    ├── RunError                a run folder is missing, incomplete or exists already
    ├── StorageError            a disk is full, or a path cannot be written
    └── RemoteError             what lies at an address (s3://...) cannot be reached: no bucket, no rights, no network

A message reads "x must ..., but y was given; try z", with the real values. The library speaks Python: where an argument
of a function would help, the message names it (``overwrite=True``), and the error says which part of the message that
is, so that the command line can name its option instead.
"""

import re

OVERWRITE = "overwrite=True"
FORCE = "force=True"
ON_ROWS = "on=..."
OUTPUT_FORMAT = "output_format=..."
PREPARED_FOLDER = "prepared=..."
PREPARE_AGAIN = "rankelastor.prepare(recipe.data, force=True)"
RUN_FOLDER = "folder=..."
SOURCE_PLACE = "place=..."


LONGEST_VALUE = 80
"""Characters of a value that a message shows."""
_LONGEST_MESSAGE = 20_000
_QUOTED = re.compile(r"""(?<!\w)(['"])(?:(?!\1)[^\n]|\1(?=\w)){81,}\1(?!\w)""")
_USER_INFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/@'\"]+@")
"""User and password of an address, which no message repeats."""
_UNBROKEN = re.compile(r"[^\s/]{256,}")
"""Longer than any name of a file."""


class RankElastorError(Exception):
    """A mistake that the user can correct; the message says how.

    Args:
        message: what must hold, what was given, and what to try.
        python: the part of the message that is Python, one of the constants above; None if there is none.
    """

    def __init__(self, message: str, *, python: str | None = None) -> None:
        super().__init__(_cut_values(message))
        self.python = python


class SettingsError(RankElastorError):
    """A setting is wrong, or settings contradict each other. The message names their paths."""


class DataError(RankElastorError):
    """Raw or prepared data are wrong. The message names the file, and the column and row if they are known."""


class StalePreparedError(DataError):
    """A prepared folder was made from other settings or other source files than those given."""


class RunError(RankElastorError):
    """A run folder is missing, incomplete, or exists already."""


class StorageError(RankElastorError):
    """A file or folder cannot be written: the disk is full, permission is denied, or the path is taken."""


class RemoteError(RankElastorError):
    """What lies at an address cannot be reached: there is no such bucket, access is denied, or the network is down."""


def _cut_values(message: str) -> str:
    """Cut quoted values of more than 80 characters, and other text without a space that is no path.

    Example:
        >>> _cut_values("must be a number, but '" + "7" * 5000 + "' was given")
        "must be a number, but '7777777777777777777777777777777777777777 … (5,000 characters)' was given"
    """
    message = _USER_INFO.sub(r"\1", message[:_LONGEST_MESSAGE])
    message = _QUOTED.sub(lambda match: _cut(match[0], quotes=1), message)
    return _UNBROKEN.sub(lambda match: _cut(match[0], quotes=0), message)


def _cut(value: str, *, quotes: int) -> str:
    start = value[: LONGEST_VALUE // 2 + quotes]
    return f"{start} … ({len(value) - 2 * quotes:,} characters){value[len(value) - quotes :]}"


def shorten(value: object) -> str:
    """Write a value for a message: its ``repr``, cut in the middle where it has more than 80 characters.

    Example:
        >>> shorten("a" * 1000)
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa … (1,002 characters)"
    """
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE // 2]} … ({len(text):,} characters)"
