"""Run commands of `rankelastor` and doctests of modules in one process, and print what came of them as JSON."""

from __future__ import annotations

import doctest
import json
import shlex
import sys
import traceback
from importlib import import_module

from typer.testing import CliRunner, Result

from rankelastor.cli.main import app


def _told(result: Result) -> str:
    unexpected = result.exc_info is not None and not isinstance(result.exception, SystemExit | None)
    return result.output + ("".join(traceback.format_exception(*result.exc_info)) if unexpected else "")  # type: ignore[misc]


if __name__ == "__main__":
    todo = json.loads(sys.argv[1])
    failed = sum(doctest.testmod(import_module(name)).failed for name in todo["modules"])
    results = [CliRunner().invoke(app, shlex.split(command)[1:]) for command in todo["commands"]]
    done = [{"exit_code": result.exit_code, "prints": _told(result)} for result in results]
    print(json.dumps({"failed_doctests": failed, "commands": done}))
