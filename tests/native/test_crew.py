"""Whoever computes a part, a helper or the caller: every part is computed once, with the same bits."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from tests.native.test_calling import needs_kernels, norm_forward

from rankelastor.native import library
from rankelastor.native.calling import num_parts
from rankelastor.native.crew import crew, is_in_crew
from rankelastor.native.library import loaded_build

PROGRAM = Path(__file__).with_name("crew_under_stress.c")
SOURCE = Path(library.__file__).with_name("crew.c")


@pytest.fixture
def needs_tiles() -> None:
    """Skip where the kernels are not there, or a BLAS multiplies for them."""
    needs_kernels()
    build = loaded_build()
    if build is None or build.products != "tiles":
        pytest.skip("a crew needs the kernels' own products")


@pytest.mark.parametrize(("turns", "flags"), [(1000, []), (200, ["-g", "-fsanitize=thread"])], ids=["fast", "watched"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_callers_at_once_and_a_fork_get_every_part_computed_once(
    compiler: str, turns: int, flags: list[str], tmp_path: Path
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    program = tmp_path / "stress"
    options = ["-O2", "-pthread", "-DFIRST_PAUSE=0", f"-I{SOURCE.parent}", *flags]
    command = [compiler, *options, str(PROGRAM), str(SOURCE), "-o", str(program)]
    if subprocess.run(command, capture_output=True, check=False, timeout=120).returncode and flags:
        pytest.skip(f"{compiler} has no {flags[-1]}")
    environment = {**os.environ, "TSAN_OPTIONS": "die_after_fork=0"}
    ran = subprocess.run(
        [str(program), str(turns)], capture_output=True, text=True, check=False, timeout=300, env=environment
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.usefixtures("needs_tiles")
def test_few_rows_are_cut_inside_and_as_before_outside() -> None:
    assert not is_in_crew()
    outside = num_parts(64)
    with crew():
        assert [num_parts(rows) for rows in (0, 1, 15, 16, 64, 10_000)] == [1, 1, 1, 2, 2, 2]
        assert num_parts(64, keeps_bits=False) == 1
    assert not is_in_crew()
    assert num_parts(64) == outside


@pytest.mark.usefixtures("needs_tiles")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says where threads may run")
def test_the_helper_is_kept_from_the_callers_core() -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("one core is allowed")
    with crew():
        pass
    narrower = [cores for cores in cores_of_threads() if cores < allowed]
    assert [len(cores) for cores in narrower] == [len(allowed) - 1]


def cores_of_threads() -> list[set[int]]:
    return [os.sched_getaffinity(int(each)) for each in os.listdir("/proc/self/task")]  # noqa: PTH208


def test_where_a_blas_multiplies_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_kernels()
    build = loaded_build()
    assert build is not None
    monkeypatch.setattr(library, "_loaded", lambda: dataclasses.replace(build, products="blas"))
    with crew():
        assert not is_in_crew()


@pytest.mark.usefixtures("needs_tiles")
def test_callers_at_once_get_what_one_gets() -> None:
    x, gain = torch.randn(64, 33), torch.randn(33)
    alone = torch.zeros(64, 33)
    norm_forward(x, gain, alone, parts=1)
    results: list[bool] = []

    def compute() -> None:
        for _ in range(200):
            out = torch.zeros(64, 33)
            with crew():
                for _ in range(3):
                    norm_forward(x, gain, out, parts=num_parts(64))
            results.append(torch.equal(out, alone))

    callers = [threading.Thread(target=compute) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert results == [True] * 600


CALLS = """
import os, torch
from tests.native.test_calling import norm_forward
from rankelastor.native.crew import crew
x, gain, alone = torch.randn(64, 500), torch.ones(500), torch.zeros(64, 500)
norm_forward(x, gain, alone, parts=1)
def calls_agree():
    for _ in range(300):
        out = torch.zeros(64, 500)
        with crew():
            norm_forward(x, gain, out, parts=4)
        assert torch.equal(out, alone)
"""
ONE_CORE = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\ncalls_agree()"
FORKED = """
calls_agree()
with crew():
    child = os.fork()
calls_agree()
if child:
    assert os.waitpid(child, 0)[1] == 0
else:
    os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and chooses its cores")
@pytest.mark.parametrize("program", [ONE_CORE, FORKED], ids=["one core", "forked"])
@pytest.mark.usefixtures("needs_tiles")
def test_a_helper_without_a_core_or_left_behind_is_not_waited_for(program: str) -> None:
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    subprocess.run(
        [sys.executable, "-c", CALLS + program],
        check=True,
        timeout=120,
        cwd=root,
        env={**os.environ, "PYTHONPATH": path},
    )
