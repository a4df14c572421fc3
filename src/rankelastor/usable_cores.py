"""How many cores this process may use, and why: the one place that threads and processes are counted by.

The machine's number is no answer in a container with a quota, under ``taskset``, and beside other processes of the
library. Quotas of control groups stand in files, of version 2 or 1, for the group of the process and for all groups
around it; the smallest counts.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

THREADS = "OMP_NUM_THREADS"
"""The variable by which OpenMP, PyTorch, MKL and Arrow know their number of threads."""
_OF_POLARS = "POLARS_MAX_THREADS"
_REASON = "RANKELASTOR_THREADS_REASON"
"""Why this package has set the variables, for processes that inherit them."""
_GROUPS = Path("proc/self/cgroup")
_VERSION_2 = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
_VERSION_1 = ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/cpuacct,cpu")


@dataclass(frozen=True)
class UsableCores:
    """A number of cores or threads, and why it is this one.

    Attributes:
        number: at least 1.
        reason: in words.
        is_unseen: whether libraries do not see the reason by themselves, as with a quota.
    """

    number: int
    reason: str
    is_unseen: bool = False

    def __str__(self) -> str:
        return f"{self.number} ({self.reason})"


def usable_cores(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> UsableCores:
    """Count the cores that this process may use.

    The user's OMP_NUM_THREADS is the answer where it is set. Else it is the number of cores that the scheduler may
    choose from, or the quota of a control group if that is less, rounded to the nearest whole number: with 1.5 cores
    two threads do more than one, with 1.2 they would mostly wait for the next period.

    Args:
        environment: the variables of the process.
        root: the folder in which ``proc`` and ``sys`` lie.

    Example:
        >>> usable_cores({"OMP_NUM_THREADS": "3"})
        UsableCores(number=3, reason='OMP_NUM_THREADS', is_unseen=False)
        >>> usable_cores({}).number >= 1
        True
    """
    given = environment.get(THREADS, "").partition(",")[0].strip()
    if given.isdecimal() and int(given):
        return UsableCores(int(given), environment.get(_REASON, THREADS))
    machine, allowed = os.cpu_count() or 1, _num_allowed()
    quota = quota_of_groups(root)
    if quota is not None and (number := max(1, math.floor(quota + 0.5))) < allowed:
        return UsableCores(number, f"the quota of {quota:g} cores of a control group", is_unseen=True)
    if allowed < machine:
        return UsableCores(allowed, f"the process may run on {allowed} of the {machine} cores")
    return UsableCores(allowed, "the cores of this machine")


def quota_of_groups(root: Path = Path("/")) -> float | None:
    """Read the smallest quota of the control groups of this process, in cores; None without one.

    Inside a container, the path of a group is often that on the host, of which the container sees the end alone or
    nothing: groups that are not there are skipped, and the outermost one that is seen counts, too.

    Example:
        >>> quota = quota_of_groups()
        >>> quota is None or quota > 0
        True
    """
    quotas = [quota for quota in _quotas(root) if quota is not None]
    return min(quotas, default=None)


def limits_for_libraries(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> dict[str, str]:
    """Return the variables that a process sets before it loads libraries, so that these keep to a quota, too.

    Empty without a quota, since libraries see which cores a process may run on, and where the user has chosen.
    """
    found = usable_cores(environment, root)
    return _variables(found) if found.is_unseen else {}


def share_of_cores(num_processes: int, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables for one of several processes side by side: a thread for each core of its share.

    Empty if the user has chosen a number of threads, which is then that of each process.

    Example:
        >>> sorted(share_of_cores(2, {"OMP_NUM_THREADS": "4"}))
        []
        >>> int(share_of_cores(1_000, {})["OMP_NUM_THREADS"])
        1
    """
    is_users = THREADS in environment and _REASON not in environment
    if num_processes == 1 or is_users:
        return {}
    cores = usable_cores(environment)
    reason = f"a share of {cores.number} cores, by one of {num_processes} processes side by side"
    return _variables(UsableCores(max(1, cores.number // num_processes), reason))


def _variables(cores: UsableCores) -> dict[str, str]:
    return {THREADS: str(cores.number), _OF_POLARS: str(cores.number), _REASON: cores.reason}


def _num_allowed() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float | None]:
    for line in (_read(root / _GROUPS) or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0" and not controllers:
            for folder in _folders(root, _VERSION_2, group):
                yield _quota(_read(folder / "cpu.max"))
        elif "cpu" in controllers.split(","):
            for folder in _folders(root, _VERSION_1, group):
                yield _quota(f"{_read(folder / 'cpu.cfs_quota_us')} {_read(folder / 'cpu.cfs_period_us')}")


def _folders(root: Path, mounts: tuple[str, ...], group: str) -> Iterator[Path]:
    """List the folders of a group and of all around it, as far as they are seen here."""
    parts = [part for part in group.split("/") if part not in {"", ".."}]
    for mount in mounts:
        for count in range(len(parts), -1, -1):
            yield root / mount / Path(*parts[:count])


def _quota(text: str | None) -> float | None:
    """Divide a quota by its period, both in microseconds; None for ``max`` and for -1, which are no quotas."""
    quota, _, period = (text or "").partition(" ")
    is_given = quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0
    return int(quota) / int(period) if is_given else None


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
