"""A study that is killed at any moment goes on to the same results, and repeats no run that has a line.

``RANKELASTOR_KILLS=20`` sets the number of kills; ``make test-faults`` does.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.studies.small_study import small_study

from rankelastor.studies.work.lines import RunLine, read_lines

pytestmark = pytest.mark.fault

KILLS = int(os.environ.get("RANKELASTOR_KILLS", "1"))
CHILDREN = Path(__file__).with_name("killed_study.py")
ROOT = Path(__file__).parents[2]
KILLS_OF_ONE_STUDY = 5


def ask(process: subprocess.Popen[str], folder: Path, seconds: float | None = None) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"folder": str(folder), "seconds": seconds}) + "\n")
    return process.stdout.readline().strip()


def lines_of(folder: Path) -> dict[str, RunLine]:
    return {line.key: line for line in read_lines(folder / "results.jsonl", study="small")}


def test_a_killed_study_goes_on_to_the_same_lines(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(json.dumps(small_study(rank_examples=20, keep_runs=False)))
    command = [sys.executable, str(CHILDREN), str(tmp_path / "study.json")]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "PYTHONPATH": f"{ROOT}/src:{ROOT}"}
    draws = random.Random(7)
    with subprocess.Popen(
        command, text=True, env=environment, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        assert ask(process, tmp_path / "whole") == "ended"
        whole, seconds = lines_of(tmp_path / "whole"), time.monotonic() - began
        killed = studies = 0
        while killed < KILLS:
            studies += 1
            folder = tmp_path / f"study{studies}"
            for _ in range(min(KILLS_OF_ONE_STUDY, KILLS - killed)):
                before = lines_of(folder)
                killed += ask(process, folder, draws.uniform(0, seconds)) == "killed"
                assert {key: lines_of(folder)[key] for key in before} == before  # what has a line is not run again
            assert ask(process, folder) == "ended"
            found = lines_of(folder)
            assert list(found) == list(whole)
            for key, line in found.items():
                assert line.metrics["test"] == whole[key].metrics["test"]
                assert line.ranks == whole[key].ranks
            assert not list((folder / "runs").glob("*"))
        assert process.stdin is not None
        process.stdin.close()
    print(f"{killed} kills in {studies} studies, which ended with the same lines")  # noqa: T201 - pytest -s
