"""Tests that a forked child says what is wrong in place of waiting for threads that do not exist."""

import subprocess
import sys

import pytest

CHILD = """
import os, sys, torch
from rankelastor.errors import RankElastorError
from rankelastor.execution.cores import borrowed_cores

with borrowed_cores(2):
    torch.ones(300, 300) @ torch.ones(300, 300)
child = os.fork()
if child == 0:
    try:
        with borrowed_cores({threads}):
            os._exit(0 if float((torch.ones(300, 300) @ torch.ones(300, 300)).sum()) > 0 else 3)
    except RankElastorError as error:
        assert "must not be forked after its parent has computed" in str(error)
        os._exit(7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(sys, "getwindowsversion") and sys.platform == "darwin", reason="fork is for Linux")
@pytest.mark.parametrize(("threads", "code"), [(2, 7), (1, 0)])
def test_a_child_with_threads_is_told_and_one_without_computes(threads: int, code: int) -> None:
    script = CHILD.replace("{threads}", str(threads))
    assert subprocess.run([sys.executable, "-c", script], timeout=100, check=False).returncode == code
