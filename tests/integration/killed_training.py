"""Train in child processes that are killed in a given phase; started by test_killed_training.py over standard input.

A child is a fork of this process, which has imported all modules, measured the processor and started no thread. It
notes in shared memory what it is doing, which outlives it, so that the phase of its death is known exactly.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

import rankelastor.training.checkpointer
import rankelastor.training.distributed.scoring
import rankelastor.training.inputs
from rankelastor.config.execution import ExecutionSettings
from rankelastor.execution.device import bf16_speed_up
from rankelastor.execution.machine_peak import machine_peak
from rankelastor.native.library import kernels
from rankelastor.recipes.load import recipe_from_values
from rankelastor.training.observers import SilentObserver, Step
from rankelastor.training.run import train
from rankelastor.training.step import Stepper

PHASES = ("prepare", "step", "write", "evaluation")
_WORD = struct.calcsize("I")
_SECONDS = 60.0


class Phases:
    """For each phase in shared memory: whether the child is in it, and how often it has been."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 2 * _WORD * len(PHASES))

    def clear(self) -> None:
        self._memory[:] = bytes(len(self._memory))

    def read(self, phase: str) -> tuple[bool, int]:
        inside, count = struct.unpack_from("II", self._memory, 2 * _WORD * PHASES.index(phase))
        return bool(inside), count

    def noted(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function that is the phase."""
        place = 2 * _WORD * PHASES.index(phase)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            _, count = self.read(phase)
            struct.pack_into("II", self._memory, place, 1, count + 1)
            try:
                return function(*arguments, **named)
            finally:
                struct.pack_into("I", self._memory, place, 0)

        return wrapped

    def note_all(self) -> None:
        training = rankelastor.training
        Stepper.step = self.noted("step", Stepper.step)  # type: ignore[method-assign]
        training.inputs.open_or_prepare = self.noted("prepare", training.inputs.open_or_prepare)  # type: ignore[attr-defined]
        training.checkpointer.write_checkpoint = self.noted("write", training.checkpointer.write_checkpoint)  # type: ignore[attr-defined]
        scoring = training.distributed.scoring
        scoring.score_split = self.noted("evaluation", scoring.score_split)  # type: ignore[attr-defined]


class Steps(SilentObserver):
    """An observer that writes the numbers of the steps to a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", buffering=1)

    def on_step(self, step: Step) -> None:
        self._file.write(f"{step.index}\n")


def kill_in(child: int, phases: Phases, phase: str, *, times: int, seconds: float) -> bool:
    """Kill the child some seconds after it enters a phase; return whether it died inside it."""
    until = time.monotonic() + _SECONDS
    while phases.read(phase)[1] < times and time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.0001)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and phases.read(phase)[0]


def warm_up() -> None:
    """Do once what each child would do anew and no fault falls into: import modules and measure the processor."""
    pa.array([1.0]).to_numpy()  # imports pandas, where there is one
    bf16_speed_up()
    machine_peak(ExecutionSettings(), torch.device("cpu"))
    kernels()
    assert threading.active_count() == 1


def main() -> None:
    warm_up()
    recipe = recipe_from_values(json.loads(Path(sys.argv[1]).read_text()))
    phases = Phases()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order = json.loads(line)
        phases.clear()
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
            phases.note_all()
            train(recipe, folder=order["folder"], observers=[Steps(Path(order["steps"]))])
            os._exit(0)
        if "phase" in order:
            died_inside = kill_in(child, phases, order["phase"], times=order["times"], seconds=order["seconds"])
            answer = "killed" if died_inside else "elsewhere"
        else:
            answer = f"ended {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}"
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
