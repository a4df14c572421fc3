"""How much memory a process may still take: what the machine has free, and the limits of its containers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

_UNLIMITED = 1 << 60
"""cgroup v1 writes a number near 2^63 where there is no limit."""


@dataclass(frozen=True)
class FreeMemory:
    """Bytes that this process may still take, and what sets this bound, in words."""

    num_bytes: int
    source: str


def free_memory(device: torch.device, *, root: Path = Path("/")) -> FreeMemory | None:
    """Find how much memory is free on a device: the smallest bound of machine and containers; None if unknown.

    Containers are found by cgroups, version 2 and version 1, at each level from the process's own group upwards. Memory
    that holds file pages counts as free, since the system takes it back.

    Args:
        device: a CPU or CUDA device.
        root: folder of ``proc`` and ``sys``, for tests.
    """
    if device.type == "cuda":
        return FreeMemory(torch.cuda.mem_get_info(device)[0], f"free on {torch.cuda.get_device_name(device)}")
    bounds = [*_machine(root), *_containers(root)]
    return min(bounds, key=lambda bound: bound.num_bytes, default=None)


def _machine(root: Path) -> Iterator[FreeMemory]:
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        if root == Path("/") and "SC_PHYS_PAGES" in os.sysconf_names:  # macOS
            yield FreeMemory(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), "the memory of this machine")
        return
    for line in lines:
        if line.startswith("MemAvailable:"):
            yield FreeMemory(int(line.split()[1]) * 1024, "free on this machine")


def _containers(root: Path) -> Iterator[FreeMemory]:
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            yield from _levels(root / "sys/fs/cgroup", group, "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            folder = root / "sys/fs/cgroup/memory"
            yield from _levels(folder, group, "memory.limit_in_bytes", "memory.usage_in_bytes")


def _levels(mount: Path, group: str, limit_file: str, usage_file: str) -> Iterator[FreeMemory]:
    """Read each level from the mount to the group; a container sees its own group as the mount itself."""
    folder = mount
    for name in ("", *Path(group.lstrip("/")).parts):
        folder /= name
        limit, usage = _number(folder / limit_file), _number(folder / usage_file)
        if limit is not None and usage is not None and limit < _UNLIMITED:
            free = limit - usage + _file_pages(folder / "memory.stat")
            yield FreeMemory(max(0, min(free, limit)), f"free below the container's limit of {limit / 1e9:,.1f} GB")


def _number(file: Path) -> int | None:
    """Read one number; None without the file, or where it says ``max``."""
    try:
        text = file.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _file_pages(file: Path) -> int:
    """Read the bytes of file pages that the system may take back; of version 1, with those of groups below."""
    try:
        values = dict(line.split() for line in file.read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):
        return 0
    names = (
        ("total_inactive_file", "total_active_file")
        if "total_inactive_file" in values
        else (
            "inactive_file",
            "active_file",
        )
    )
    return sum(int(values.get(name, 0)) for name in names)
