"""Several processes that train together: start them here, or be one of those that a launcher started."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from rankelastor.cli.console import set_manner
from rankelastor.cli.option_names import message_with_options
from rankelastor.cli.verb_group import INTERRUPTED, USER_MISTAKE, TerminatedError
from rankelastor.errors import RankElastorError, RunError, SettingsError
from rankelastor.usable_cores import share_of_cores

if TYPE_CHECKING:
    from rankelastor.collectives.joining import Joined
    from rankelastor.collectives.processes import Processes

_LAUNCHED = "RANKELASTOR_LAUNCHED"
"""Set for processes that this command starts: it speaks where one of them is lost."""
_LOST = 70
"""Exit code of a process that has lost another one, which is the one to speak of."""


def start(num_processes: int) -> None:
    """Start this command as several processes of this machine, through PyTorch's launcher, and wait for their end.

    Args:
        num_processes: number of processes.

    Raises:
        RunError: a process was killed or failed.
        typer.Exit: with the exit code of the process that said why it ended.
        KeyboardInterrupt: this process was asked to stop, and all others have stopped.
    """
    import logging

    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.disable(logging.CRITICAL)  # the launcher logs what is said here in words
    os.environ[_LAUNCHED] = "1"
    os.environ.update(share_of_cores(num_processes))
    settings = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=num_processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,
    )
    try:
        elastic_launch(settings, sys.executable)("-m", "rankelastor", *sys.argv[1:])
    except ChildFailedError as error:
        raise _why(error, num_processes) from None
    except SignalException as stop:
        raise (KeyboardInterrupt() if stop.sigval == signal.SIGINT else TerminatedError(stop.sigval)) from None


def _why(error: Any, num_processes: int) -> Exception:
    """Say why a process ended, unless it has said so itself."""
    codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
    killed = {rank: code for rank, code in codes.items() if code < 0 and -code != signal.SIGTERM}
    for rank, code in killed.items():
        name = signal.Signals(-code).name
        return RunError(
            f"all {num_processes} processes of a training must go on until it ends, but process {rank} was ended by "
            f"{name}{_memory_hint(name)}; train again to go on from the last checkpoint"
        )
    told = [code for code in codes.values() if code not in {_LOST, INTERRUPTED, -signal.SIGTERM}]
    return typer.Exit(told[0] if told else _LOST)


def _memory_hint(name: str) -> str:
    return ", as the system does where memory runs out" if name == "SIGKILL" else ""


def are_started_together() -> bool:
    """Tell whether a launcher started this process as one of several."""
    from rankelastor.collectives.joining import are_started_together as are_started

    return are_started(os.environ)


@contextmanager
def one_of_several() -> Iterator[Joined]:
    """Be one of the processes that were started together: the first speaks for all, the others are quiet.

    Raises:
        RunError: the processes do not meet, or another process failed or is gone.
        typer.Exit: in all but the first, whatever they fail with; the first hears their message.
    """
    from rankelastor.collectives.joining import joined

    is_first = os.environ["RANK"] == "0"
    if not is_first:
        set_manner(quiet=True, verbose=False)
        _log_nothing()
    with joined(os.environ) as found, _speaking(found) if is_first else _quiet(found):
        yield found


@contextmanager
def _speaking(found: Joined) -> Iterator[None]:
    """Say why others failed, in place of what that led to here; of lost processes the launcher may know more."""
    from rankelastor.collectives.processes import LostProcessError

    is_launched = _LAUNCHED in os.environ
    try:
        yield
    except (LostProcessError, KeyboardInterrupt) as error:
        if (told := found.failure()) is not None:  # launchers stop the others when one has failed
            raise RunError(told) from None
        if not is_launched:
            raise
        raise typer.Exit(_LOST if isinstance(error, LostProcessError) else INTERRUPTED) from error


@contextmanager
def _quiet(found: Joined) -> Iterator[None]:
    """Turn what a user did wrong, or asked for, into an exit code, and leave the words to the first process."""
    from rankelastor.collectives.processes import LostProcessError

    try:
        yield
    except LostProcessError as lost:
        raise typer.Exit(_LOST) from lost
    except RankElastorError as error:
        found.tell_failure(message_with_options(error))
        raise typer.Exit(USER_MISTAKE) from None
    except KeyboardInterrupt as stop:
        raise typer.Exit(INTERRUPTED) from stop
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # launchers send it to those that are about to end


def _log_nothing() -> None:
    import logging

    logging.getLogger().handlers[:] = [logging.NullHandler()]


def must_be_started(number: int) -> bool:
    """Tell whether this process must start the others itself, because no launcher has started them."""
    return number > 1 and not are_started_together()


@contextmanager
def processes_of(number: int | None) -> Iterator[Processes]:
    """Join the processes that a launcher started; a process that was started by itself is alone.

    Args:
        number: the number of processes that was given here; None: none was.

    Raises:
        SettingsError: the launcher started another number.
        RunError: see ``one_of_several``.
    """
    from rankelastor.collectives.processes import ALONE

    if not are_started_together():
        yield ALONE
        return
    with one_of_several() as joined:
        _check_number(number)
        yield joined.processes


def _check_number(num_processes: int | None) -> None:
    """Check that a number of processes given here is that of the launcher.

    Raises:
        SettingsError: it is another one.
    """
    started = int(os.environ["WORLD_SIZE"])
    if num_processes is not None and num_processes != started:
        raise SettingsError(
            f"--processes must be the number of processes that the launcher started, which is {started}, but "
            f"{num_processes} was given; leave it out"
        )
