"""The exceptions for mistakes that a user can correct, as opposed to bugs of this package.

.. code-block:: text

    RankElastorError            shown by the command line without a traceback, exit code 2
    ├── SettingsError           a setting is wrong, or settings contradict each other
    ├── DataError               raw files or prepared data are wrong; names file, column and row
    │   └── StalePreparedError  a prepared folder was made from other settings or other source files
    ├── RunError                a run folder is missing, incomplete or exists already
    └── StorageError            a disk is full, or a path cannot be written

A message reads "x must ..., but y was given; try z", with the real values. The library speaks Python: where an argument
of a function would help, the message names it (``overwrite=True``), and the error says which part of the message that
is, so that the command line can name its option instead.
"""

OVERWRITE = "overwrite=True"
FORCE = "force=True"
OUTPUT_FORMAT = "output_format=..."
PREPARED_FOLDER = "prepared=..."
PREPARE_AGAIN = "rankelastor.prepare(recipe.data, force=True)"
RUN_FOLDER = "folder=..."
SOURCE_PLACE = "place=..."


class RankElastorError(Exception):
    """A mistake that the user can correct; the message says how.

    Args:
        message: what must hold, what was given, and what to try.
        python: the part of the message that is Python, one of the constants above; None if there is none.
    """

    def __init__(self, message: str, *, python: str | None = None) -> None:
        super().__init__(message)
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
