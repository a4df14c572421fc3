"""The command `rankelastor`: register the verbs and report a user's mistake as one readable message."""

from __future__ import annotations

import signal
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

import rankelastor
from rankelastor.cli.console import error_console, set_up_logging
from rankelastor.errors import RankElastorError

if TYPE_CHECKING:
    from types import FrameType

    from typer._click import Context

VERBS = (
    "demo",
    "data",
    "prepare",
    "train",
    "evaluate",
    "spectrum",
    "predict",
    "theory",
    "describe",
    "models",
    "profile",
    "schema",
    "import_fuxictr",
)
"""The verbs, one line each, in the order in which the help lists them: each is the module in ``cli/`` of its name."""

USER_MISTAKE = 2
INTERRUPTED = 130
TERMINATED = 143


class _TerminatedError(KeyboardInterrupt):
    """Raised on SIGTERM; as with Ctrl-C, incomplete files are removed."""


class _Verbs(TyperGroup):
    """Command group that reports a user's mistake or Ctrl-C as one readable message with an exit code."""

    def invoke(self, ctx: Context) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except RankElastorError as error:
            _show_error(str(error))
            raise typer.Exit(USER_MISTAKE) from None
        except KeyboardInterrupt as stop:
            _show_error("stopped; all files on disk are complete")
            raise typer.Exit(TERMINATED if isinstance(stop, _TerminatedError) else INTERRUPTED) from None


app = typer.Typer(
    name="rankelastor",
    cls=_Verbs,
    help="Train, understand and use click-through-rate rankers of the RankMixer / RankElastor family.",
    epilog="Start with: rankelastor demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for _verb in VERBS:
    import_module(f"rankelastor.cli.{_verb}").register(app)


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer's signature
    if value:
        typer.echo(f"rankelastor {rankelastor.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001 - the callback does the work
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also log informational messages.")] = False,
) -> None:
    set_up_logging(verbose=verbose)


def _show_error(message: str) -> None:
    error_console.print("[bold red]error:[/] ", end="")
    error_console.print(message, markup=False, highlight=False, soft_wrap=True)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signal handler's signature
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second SIGTERM must not interrupt the cleanup
    raise _TerminatedError


def main() -> None:
    """Run the command line; the exit code is 2 for a user's mistake, 130 for Ctrl-C, 143 for SIGTERM."""
    signal.signal(signal.SIGTERM, _terminate)
    app()
