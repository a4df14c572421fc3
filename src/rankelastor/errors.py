"""The exception tree: what a user can do wrong, as opposed to our own mistakes.

.. code-block:: text

    RankElastorError            shown by the command line without a traceback, exit code 2
    ├── SettingsError           a setting, or settings that do not go together
    ├── DataError               raw files or prepared data, with file, column and row
    │   └── StalePreparedError  a prepared folder made from other settings or other sources
    ├── RunError                a run folder or its weights
    └── StorageError            a disk that is full or a place that cannot be written

A message reads "X must hold, but Y was given; try Z", with the real values.
"""


class RankElastorError(Exception):
    """A mistake that the user can mend; the message says how."""


class SettingsError(RankElastorError):
    """A setting is wrong, or settings do not go together. The message names their paths."""


class DataError(RankElastorError):
    """Raw or prepared data are wrong. The message names the file, and the column and row where known."""


class StalePreparedError(DataError):
    """A prepared folder was made from other settings or other source files than those given."""


class RunError(RankElastorError):
    """A run folder is missing, exists already, or lacks a part."""


class StorageError(RankElastorError):
    """A file or folder cannot be written: disk full, no permission, path taken."""
