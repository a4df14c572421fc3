"""Run verbs in a process of their own: in pipes, or on a terminal of a given width."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = str(Path(__file__).with_name("run_verbs.py"))
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_UNSET = ("COLUMNS", "LINES", "FORCE_COLOR", "TTY_COMPATIBLE")


@dataclass(frozen=True)
class Shown:
    """What a verb printed, and its exit code; on a terminal stdout and stderr are one."""

    stdout: str
    stderr: str
    code: int


def in_pipes(
    commands: Sequence[Sequence[str]], cwd: Path, environment: Mapping[str, str], *, without: Sequence[str] = ()
) -> list[Shown]:
    """Run the commands with pipes for stdout and stderr, and stdin closed; texts are decoded as latin-1."""
    done = subprocess.run(
        _command(commands),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=300,
        cwd=cwd,
        env=_environment(environment, without),
    )
    stdout, stderr = (_parts(text.decode("latin-1")) for text in (done.stdout, done.stderr))
    assert len(stdout) == len(stderr) == len(commands), done.stderr.decode("latin-1")
    return [Shown(out, err, code) for (out, code), (err, _) in zip(stdout, stderr, strict=True)]


def on_a_terminal(commands: Sequence[Sequence[str]], cwd: Path, *, columns: int) -> list[Shown]:
    """Run the commands on a terminal of this width; codes for colours are removed."""
    person, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = _environment({"TERM": "xterm"}, ())
    with subprocess.Popen(
        _command(commands), stdin=terminal, stdout=terminal, stderr=terminal, cwd=cwd, env=environment
    ):
        os.close(terminal)
        text = _read_all(person)
    parts = _parts(_CODES.sub("", text.replace("\r\n", "\n")))
    return [Shown(out, "", code) for out, code in parts[::2]]  # each mark stands there twice


def _command(commands: Sequence[Sequence[str]]) -> list[str]:
    return [sys.executable, _SCRIPT, json.dumps(commands)]


def _environment(changes: Mapping[str, str], without: Sequence[str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {*_UNSET, *without}}
    return kept | {"OMP_NUM_THREADS": "1"} | dict(changes)


def _parts(text: str) -> list[tuple[str, int]]:
    """Divide what was printed at the marks."""
    pieces = re.split(r"\n=== \d+ (\d+)\n", text)
    return [(pieces[index], int(pieces[index + 1])) for index in range(0, len(pieces) - 1, 2)]


def _read_all(terminal: int) -> str:
    read = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the process has closed its end
            piece = b""
        if not piece:
            os.close(terminal)
            return read.decode("utf-8")
        read += piece
