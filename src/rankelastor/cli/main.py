"""The command `rankelastor`: register the verbs."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

import rankelastor
from rankelastor.cli.console import accept_any_character, set_manner
from rankelastor.cli.this_process import QuickEnd, end_quickly, keep_to_quota, start_quickly, wait_asleep
from rankelastor.cli.verb_group import QUIET_HELP, VERBOSE_HELP, ReportingGroup, TerminatedError, help_settings

if TYPE_CHECKING:
    from types import FrameType

VERBS = (
    "demo",
    "sample",
    "init",
    "data",
    "prepare",
    "train",
    "tune",
    "backtest",
    "study",
    "ensemble",
    "evaluate",
    "compare",
    "spectrum",
    "predict",
    "embeddings",
    "runs",
    "repeat",
    "theory",
    "describe",
    "models",
    "profile",
    "schema",
    "verify",
    "explain",
    "bundle",
    "export",
    "serve",
    "import_fuxictr",
    "import_published",
)
"""The verbs, one line each, in the order in which the help lists them: each is the module in ``cli/`` of its name."""

_MANNERS = ("-q", "--quiet", "-v", "--verbose")
"""Options that stand in front of a verb and change nothing of what is shown of the command line."""


def app_of(verbs: Iterable[str]) -> typer.Typer:
    """Make the command line of some of ``VERBS``."""
    made = typer.Typer(
        name="rankelastor",
        cls=ReportingGroup,
        help="Train, understand and use click-through-rate rankers of the RankMixer / RankElastor family.",
        epilog="Start with: rankelastor demo",
        context_settings=help_settings(),
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
    )
    for verb in verbs:
        import_module(f"rankelastor.cli.{verb}").register(made)
    made.callback()(_options)
    return made


def verbs_for(arguments: Sequence[str]) -> Sequence[str]:
    """Choose the verbs that a call needs: the one that it names, since the others take longer to make than its options.

    A call that names none, or one that does not exist, may show or suggest any.

    Example:
        >>> verbs_for(["-q", "import-fuxictr", "config"])
        ('import_fuxictr',)
        >>> verbs_for(["--version"])
        ()
        >>> verbs_for(["--help"]) == verbs_for(["teach"]) == VERBS
        True
    """
    if list(arguments) == ["--version"]:
        return ()
    word = next((each for each in arguments if each not in _MANNERS), "")
    verb = word.replace("-", "_")
    return (verb,) if verb in VERBS and "_" not in word else VERBS


def __getattr__(name: str) -> typer.Typer:
    """Build the attribute ``app``, the command line of all verbs, when it is first read; ``main`` does not need it."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _app_of_all()


@cache
def _app_of_all() -> typer.Typer:
    return app_of(VERBS)


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer's signature
    if value:
        typer.echo(f"rankelastor {rankelastor.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[  # noqa: ARG001 - the callback does the work
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help=VERBOSE_HELP)] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help=QUIET_HELP)] = False,
) -> None:
    set_manner(quiet=quiet, verbose=verbose)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signal handler's signature
    signal.signal(number, signal.SIG_IGN)  # a second signal must not interrupt the cleanup
    raise TerminatedError(number)


def main() -> None:
    """Run the command line; the exit code is 2 for a user's mistake, 130, 143 or 129 for Ctrl-C, SIGTERM or SIGHUP."""
    start_quickly()
    accept_any_character()
    wait_asleep()
    keep_to_quota()
    signal.signal(signal.SIGTERM, _terminate)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it
        signal.signal(signal.SIGHUP, _terminate)
    try:
        app_of(verbs_for(sys.argv[1:]))()
    finally:
        end_quickly()


def program() -> None:
    """Be the program `rankelastor`: as ``main``, in a process that ends with it, and in less time."""
    end = QuickEnd()
    try:
        main()
    except SystemExit as asked:
        end.code = asked.code if isinstance(asked.code, int) else None
        raise
