"""The command `rankelastor`: collects the verbs and turns mistakes into one readable message."""

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
    "profile",
    "schema",
    "import_fuxictr",
)
"""The verbs, one line each, in the order in which the help lists them: each is the module in ``cli/`` of its name."""

USER_MISTAKE = 2
INTERRUPTED = 130
TERMINATED = 143


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM: as Ctrl-C, everything that is half-written is cleaned up."""


class _Verbs(TyperGroup):
    """Runs a verb; a user's mistake or Ctrl-C becomes one readable message and an exit code."""

    def invoke(self, ctx: Context) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except RankElastorError as error:
            _show_error(str(error))
            raise typer.Exit(USER_MISTAKE) from None
        except KeyboardInterrupt as stop:
            _show_error("stopped; what is on disk is whole")
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


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer calls it so
    if value:
        typer.echo(f"rankelastor {rankelastor.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001 - the callback does the work
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also log what is done.")] = False,
) -> None:
    set_up_logging(verbose=verbose)


def _show_error(message: str) -> None:
    error_console.print("[bold red]error:[/] ", end="")
    error_console.print(message, markup=False, highlight=False, soft_wrap=True)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the system calls it so
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not stop the cleaning up
    raise _TerminatedError


def main() -> None:
    """Run the command line; exit code 2 on a user's mistake, 130 on Ctrl-C, 143 on SIGTERM."""
    signal.signal(signal.SIGTERM, _terminate)
    app()
