"""The group of verbs: one readable message per mistake, help for an empty call, options that every verb has."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from rankelastor.cli.console import be_quiet, be_verbose, print_error
from rankelastor.cli.option_names import message_with_options
from rankelastor.errors import RankElastorError

if TYPE_CHECKING:
    from typer._click import Context

USER_MISTAKE = 2
INTERRUPTED = 130
_SIGNALLED = 128

_NARROW = 60
QUIET_HELP = "Show no progress; results, warnings and errors stay."
VERBOSE_HELP = "Also log informational messages."
_STREAM_ERRORS = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up", errno.EIO: "it failed"}


class TerminatedError(KeyboardInterrupt):
    """Raised on SIGTERM and SIGHUP; as with Ctrl-C, incomplete files are removed.

    Args:
        number: number of the signal.
    """

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__()
        self.number = number


class VerbGroup(TyperGroup):
    """Command group that adds ``--quiet`` and ``--verbose`` to its verbs, and shows help if it is called bare."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for command in self.commands.values():
            command.help = _unwrap(command.help)
            if isinstance(command, TyperCommand):
                command.params.extend(_common_options())
            if isinstance(command, TyperCommand | TyperGroup) and _is_narrow():
                command.rich_markup_mode = None  # boxes would cut the names of options
                command.help = command.help.replace("\\[", "[")
        if _is_narrow():
            self.rich_markup_mode = None

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse the arguments; without any, print the help and exit with 0."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)


class ReportingGroup(VerbGroup):
    """Group of all verbs, which reports a user's mistake or Ctrl-C as one readable message with an exit code."""

    def invoke(self, ctx: Context) -> Any:
        """Run the verb."""
        try:
            done = super().invoke(ctx)
            _flush_output()
        except RankElastorError as error:
            print_error(message_with_options(error))
            raise typer.Exit(USER_MISTAKE) from None
        except KeyboardInterrupt as stop:
            print_error("stopped; all files on disk are complete")
            code = _SIGNALLED + stop.number if isinstance(stop, TerminatedError) else INTERRUPTED
            raise typer.Exit(code) from None
        except OSError as error:
            if error.filename is not None or error.errno not in _STREAM_ERRORS:
                raise
            _drop_output()
            print_error(f"standard output must take what is printed, but {_STREAM_ERRORS[error.errno]}")
            raise typer.Exit(USER_MISTAKE) from None
        return done


def _flush_output() -> None:
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def _drop_output() -> None:
    """Send what could not be written nowhere, since Python would try again on exit."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device, not a file of ours
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _hear_quiet(value: bool) -> None:  # noqa: FBT001 - typer's signature
    if value:
        be_quiet()


def _hear_verbose(value: bool) -> None:  # noqa: FBT001 - typer's signature
    if value:
        be_verbose()


def help_settings() -> dict[str, Any]:
    """Return the settings of help for all verbs: its options, and its width where boxes do not fit."""
    width = {"terminal_width": shutil.get_terminal_size().columns} if _is_narrow() else {}
    return {"help_option_names": ["-h", "--help"], **width}


def _is_narrow() -> bool:
    return shutil.get_terminal_size().columns < _NARROW


def _unwrap(text: str | None) -> str:
    r"""Join the lines of each paragraph of a docstring, so that the terminal's width breaks them.

    Example:
        >>> _unwrap("One.\n\nTwo\nthree.")
        'One.\n\nTwo three.'
    """
    paragraphs = (text or "").strip().split("\n\n")
    return "\n\n".join(" ".join(line.strip() for line in paragraph.splitlines()) for paragraph in paragraphs)


@cache
def _common_options() -> tuple[Any, ...]:
    """Make the options that all verbs share; they work in front of the verb, too."""
    holder = typer.Typer(add_completion=False)

    @holder.command()
    def _stub(
        quiet: Annotated[
            bool, typer.Option("--quiet", "-q", callback=_hear_quiet, expose_value=False, help=QUIET_HELP)
        ] = False,
        verbose: Annotated[
            bool, typer.Option("--verbose", "-v", callback=_hear_verbose, expose_value=False, help=VERBOSE_HELP)
        ] = False,
    ) -> None: ...

    return tuple(typer.main.get_command(holder).params)
