"""Run doctests of modules, commands of `rankelastor` and a script in one process; write what came of them as JSON."""

from __future__ import annotations

import doctest
import json
import runpy
import shlex
import sys
import traceback
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO

from typer.testing import CliRunner

from rankelastor.cli.main import app


def failed_doctests(module: str) -> int:
    """Run the examples of a module's docstrings; their failures are printed to stderr."""
    with redirect_stdout(sys.stderr):
        return doctest.testmod(import_module(module)).failed


def done_command(command: str) -> tuple[int, str]:
    """Run ``rankelastor ...``: its exit code and all that it prints, with the trace of an uncaught error."""
    result = CliRunner().invoke(app, shlex.split(command)[1:])
    if isinstance(result.exception, Exception):
        return result.exit_code, result.output + "".join(traceback.format_exception(result.exception))
    return result.exit_code, result.output


def printed_by(script: str) -> str:
    """Run a script: what it prints."""
    with redirect_stdout(StringIO()) as printed:
        runpy.run_path(script)
    return printed.getvalue()


if __name__ == "__main__":
    todo = json.loads(sys.argv[1])
    doctests = {module: failed_doctests(module) for module in todo["modules"]}
    commands = {command: done_command(command) for command in todo["commands"]}
    scripts = {script: printed_by(script) for script in todo["scripts"]}
    json.dump({"failed_doctests": doctests, "commands": commands, "scripts": scripts}, sys.stdout)
