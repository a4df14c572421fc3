"""The argument ``-``: standard input or standard output."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO, NoReturn

import typer

from rankelastor.errors import SettingsError

STANDARD = "-"
BROKEN_PIPE = 141
"""The exit code of programs that SIGPIPE ends."""


def or_standard_input(place: str) -> str | BinaryIO:
    """Return standard input for ``-``, and any other place as it is.

    Raises:
        SettingsError: standard input is a terminal, where nobody would type rows.
    """
    if place != STANDARD:
        return place
    if sys.stdin.isatty():
        raise SettingsError(
            "- reads standard input, which must be a file or a pipe, but is a terminal; try `... < FILE`"
        )
    return sys.stdin.buffer


def or_standard_output(place: str) -> str | BinaryIO:
    """Return standard output for ``-``, and any other place as it is."""
    return sys.stdout.buffer if place == STANDARD else place


def end_quietly() -> NoReturn:
    """End the command as other programs do whose reader has gone, as in ``rankelastor predict RUN a.csv - | head``."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to flush at exit
    raise typer.Exit(BROKEN_PIPE)
