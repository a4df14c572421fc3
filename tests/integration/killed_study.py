"""Run a study in children that are killed after some time; started by test_killed_study.py over standard input.

A child is a fork of this process, which has imported all modules and started no thread.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import torch

from rankelastor.studies.work.run_study import run_study


def main() -> None:
    """Answer each line `{"folder": ..., "seconds": ...}`: run the study there, kill it after so many seconds."""
    study = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    print("ready", flush=True)  # noqa: T201 - an answer
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            run_study(study, folder=order["folder"])
            os._exit(0)
        print(_end_of(child, order.get("seconds")), flush=True)  # noqa: T201 - an answer


def _end_of(child: int, seconds: float | None) -> str:
    """Wait for the end of a child, and kill it if it is still alive after ``seconds``."""
    until = float("inf") if seconds is None else time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return "ended" if status == 0 else f"failed {status}"
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "killed"


if __name__ == "__main__":
    main()
