"""The streams, the consoles and the logging of the command line."""

from __future__ import annotations

import codecs
import io
import json
import logging
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType, RenderResult

UNLIMITED = 100_000
"""Width in columns of anything but a terminal: nothing is wrapped, shortened or cut there."""

_PLAINER = {"…": "~", "█": "#", "±": "+-", "│": "|", "─": "-", "├": "|", "└": "`", "\u2019": "'"}


class RoomyConsole(Console):
    """Console that takes the width of a terminal, and all the width it needs in a pipe or a file."""

    @property
    def size(self) -> ConsoleDimensions:
        """Width and height in characters."""
        size = super().size
        return size if self.is_terminal else ConsoleDimensions(UNLIMITED, size.height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size


console = RoomyConsole(emoji=False)
error_console = RoomyConsole(stderr=True, emoji=False)


@dataclass
class Manner:
    """How much this call of the command line says: ``quiet`` keeps progress to itself, ``verbose`` logs more."""

    quiet: bool = False
    verbose: bool = False


manner = Manner()


def set_manner(*, quiet: bool, verbose: bool) -> None:
    """Set how much is said, and log warnings to stderr; with ``verbose`` also informational messages."""
    manner.quiet, manner.verbose = quiet, verbose
    handler = _MessageHandler(logging.INFO if verbose else logging.WARNING)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler], force=True)
    logging.getLogger("rankelastor").setLevel(logging.INFO)  # train.log keeps what the terminal need not show


def be_quiet() -> None:
    """Show no progress from here on."""
    set_manner(quiet=True, verbose=manner.verbose)


def be_verbose() -> None:
    """Also log informational messages from here on."""
    set_manner(quiet=manner.quiet, verbose=True)


def print_error(message: str) -> None:
    """Print one message of a mistake to stderr."""
    error_console.print("[bold red]error:[/] ", end="")
    error_console.print(message, markup=False, highlight=False, soft_wrap=True)


def print_words(text: str) -> None:
    """Print text to stdout as it stands, without markup and without breaking its lines."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def print_unbroken(shown: RenderableType) -> None:
    """Print to stdout without breaking or cutting lines, however narrow the terminal is."""
    console.print(_Unbroken(shown), crop=False)


def print_json(values: Any) -> None:
    """Print values as JSON in ASCII; numbers that are not finite, which JSON lacks, become null."""
    typer.echo(json.dumps(_without_nan(values), indent=2, allow_nan=False))


def accept_any_character() -> None:
    """Let stdout and stderr show characters that their encodings lack in an escaped form instead of failing."""
    codecs.register_error("plainer", _plainer)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plainer")


@dataclass(frozen=True)
class _Unbroken:
    """A renderable that is rendered as if there were room for any line."""

    shown: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self.shown, options.update(width=UNLIMITED))


def _without_nan(values: Any) -> Any:
    match values:
        case float():
            return values if math.isfinite(values) else None
        case Mapping():
            return {name: _without_nan(value) for name, value in values.items()}
        case list() | tuple():
            return [_without_nan(value) for value in values]
    return values


def _plainer(error: UnicodeError) -> tuple[str, int]:
    """Replace what an encoding lacks: a drawn character by one that looks like it, any other by its escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    shown = (_PLAINER.get(mark) or mark.encode("ascii", "backslashreplace").decode() for mark in lacking)
    return "".join(shown), error.end


class _MessageHandler(logging.Handler):
    """Log handler that prints messages to stderr in the form of errors: ``warning: ...``."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        style = _STYLES.get(record.levelno, "bold red")
        try:
            error_console.print(f"[{style}]{record.levelname.lower()}:[/] ", end="")
            error_console.print(self.format(record), markup=False, highlight=False, soft_wrap=True)
        except Exception:  # noqa: BLE001 - the standard way of a handler: logging never stops the program
            self.handleError(record)


_STYLES: dict[int, Any] = {logging.INFO: "dim", logging.WARNING: "yellow", logging.ERROR: "red"}
