"""Say in options of the command line what an error of the library says in Python."""

from __future__ import annotations

from rankelastor.errors import (
    FORCE,
    ON_ROWS,
    OUTPUT_FORMAT,
    OVERWRITE,
    PREPARE_AGAIN,
    PREPARED_FOLDER,
    RUN_FOLDER,
    SOURCE_PLACE,
    RankElastorError,
)

OPTIONS = {
    FORCE: "--force",
    ON_ROWS: "--on FILE",
    OUTPUT_FORMAT: "--format FORMAT",
    OVERWRITE: "--force",
    PREPARED_FOLDER: "--prepared DIR",
    PREPARE_AGAIN: "rankelastor prepare RECIPE --force",
    RUN_FOLDER: "--run",
    SOURCE_PLACE: "--from",
}
"""The option, or the call of a verb, for each part of a message that is Python."""


def message_with_options(error: RankElastorError) -> str:
    """Return the message of an error, with an option of the command line in place of Python.

    Example:
        >>> message_with_options(RankElastorError("out.csv exists; try overwrite=True", python="overwrite=True"))
        'out.csv exists; try --force'
    """
    message = str(error)
    if error.python is None:
        return message
    before, _, after = message.rpartition(error.python)  # the advice stands at the end; a path before it may look alike
    return f"{before}{OPTIONS[error.python]}{after}"
