"""Cores are counted by what a process may use: quotas of both versions, affinity, a choice of the user, and shares."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rankelastor import usable_cores as module
from rankelastor.usable_cores import limits_for_libraries, quota_of_groups, share_of_cores, usable_cores


def tree(root: Path, files: dict[str, str]) -> Path:
    """Write files of ``/proc`` and ``/sys`` below a folder."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


V2 = {"proc/self/cgroup": "0::/pod/box"}
V1 = {"proc/self/cgroup": "5:memory:/pod\n4:cpu,cpuacct:/pod/box\n1:name=systemd:/pod"}


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        (V2, None),
        (V2 | {"sys/fs/cgroup/pod/box/cpu.max": "150000 100000"}, 1.5),
        (V2 | {"sys/fs/cgroup/pod/box/cpu.max": "max 100000"}, None),
        (V2 | {"sys/fs/cgroup/pod/box/cpu.max": "max 100000", "sys/fs/cgroup/pod/cpu.max": "200000 50000"}, 4.0),
        (V2 | {"sys/fs/cgroup/pod/box/cpu.max": "800000 100000", "sys/fs/cgroup/pod/cpu.max": "200000 100000"}, 2.0),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "50000 100000"}, 0.5),  # a namespace of its own
        (V2 | {"sys/fs/cgroup/cpu.max": "300000 100000"}, 3.0),  # the host's path, of which the container sees nothing
        ({"proc/self/cgroup": "0::/../../box", "sys/fs/cgroup/box/cpu.max": "100000 100000"}, 1.0),
        (V1 | {"sys/fs/cgroup/cpu,cpuacct/pod/box/cpu.cfs_quota_us": "-1"}, None),
        (
            V1
            | {
                "sys/fs/cgroup/cpu/pod/box/cpu.cfs_quota_us": "250000",
                "sys/fs/cgroup/cpu/pod/box/cpu.cfs_period_us": "100000",
            },
            2.5,
        ),
        (
            V1
            | {
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "100000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            1.0,
        ),
        (V2 | {"sys/fs/cgroup/pod/box/cpu.max": "what is this"}, None),
        (V2 | {"sys/fs/cgroup/pod/box/cpu.max": "100000 0"}, None),
    ],
)
def test_the_smallest_quota_of_all_groups_around_a_process_counts(
    files: dict[str, str], quota: float | None, tmp_path: Path
) -> None:
    assert quota_of_groups(tree(tmp_path, files)) == quota


@pytest.mark.parametrize(("quota", "number"), [(0.1, 1), (1.2, 1), (1.5, 2), (3.4, 3), (16, 8)])
def test_a_quota_is_rounded_and_never_above_the_cores(
    quota: float, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_num_allowed", lambda: 8)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    root = tree(tmp_path, V2 | {"sys/fs/cgroup/pod/box/cpu.max": f"{quota * 100_000:.0f} 100000"})
    found = usable_cores({}, root)
    assert found.number == number
    assert found.reason == (
        "the cores of this machine" if quota > 8 else f"the quota of {quota} cores of a control group"
    )


def test_affinity_counts_where_there_is_no_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_num_allowed", lambda: 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert str(usable_cores({}, tmp_path)) == "2 (the process may run on 2 of the 64 cores)"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a system with affinity")
def test_a_process_under_taskset_counts_its_own_cores() -> None:
    program = (
        "import os\n"
        "from rankelastor.usable_cores import usable_cores\n"
        "os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])\n"
        "print(usable_cores({}).number)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]


@pytest.mark.parametrize(("given", "number"), [("3", 3), ("4,2", 4), (" 5 ", 5)])
def test_the_users_number_is_the_answer(given: str, number: int) -> None:
    assert str(usable_cores({"OMP_NUM_THREADS": given})) == f"{number} (OMP_NUM_THREADS)"


@pytest.mark.parametrize("given", ["", "0", "many", "-2"])
def test_a_number_that_is_none_is_passed_over(given: str, tmp_path: Path) -> None:
    assert usable_cores({"OMP_NUM_THREADS": given}, tmp_path) == usable_cores({}, tmp_path)


def test_libraries_are_told_of_a_quota_unless_the_user_has_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_num_allowed", lambda: 8)
    assert limits_for_libraries({}, tmp_path) == {}
    root = tree(tmp_path, V2 | {"sys/fs/cgroup/pod/box/cpu.max": "200000 100000"})
    told = limits_for_libraries({}, root)
    assert told["OMP_NUM_THREADS"] == told["POLARS_MAX_THREADS"] == "2"
    assert str(usable_cores(told)) == "2 (the quota of 2 cores of a control group)"  # also in processes that inherit it
    assert limits_for_libraries({"OMP_NUM_THREADS": "7"}, root) == {}


def test_processes_side_by_side_share_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_num_allowed", lambda: 8)
    monkeypatch.setattr(module, "quota_of_groups", lambda *_: None)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    share = share_of_cores(3, {})
    assert str(usable_cores(share)) == "2 (a share of 8 cores, by one of 3 processes side by side)"
    assert usable_cores(share_of_cores(2, share)).number == 1  # a study whose runs are ensembles
    assert share_of_cores(1, {}) == {}
    assert share_of_cores(3, {"OMP_NUM_THREADS": "4"}) == {}
