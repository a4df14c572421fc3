"""Bounds of memory, read from made-up files of ``/proc`` and ``/sys``."""

from pathlib import Path

import torch

from rankelastor.execution.free_memory import free_memory

CPU = torch.device("cpu")
GB = 1_000_000_000


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def machine(root: Path, *, available_kb: int = 8_000_000, cgroup: str = "0::/\n") -> Path:
    return write(root, proc__meminfo=f"MemTotal: 16 kB\nMemAvailable:  {available_kb} kB\n", proc__self__cgroup=cgroup)


def test_without_a_container_the_machine_sets_the_bound(tmp_path: Path) -> None:
    free = free_memory(CPU, root=machine(tmp_path))
    assert free is not None
    assert (free.num_bytes, free.source) == (8_000_000 * 1024, "free on this machine")


def test_a_container_of_version_2_sets_a_smaller_bound_and_file_pages_count_as_free(tmp_path: Path) -> None:
    root = machine(tmp_path)
    folder = root / "sys/fs/cgroup"
    folder.mkdir(parents=True)
    (folder / "memory.max").write_text(f"{4 * GB}\n")
    (folder / "memory.current").write_text(f"{3 * GB}\n")
    (folder / "memory.stat").write_text(f"anon {2 * GB}\ninactive_file {GB // 2}\nactive_file {GB // 4}\n")
    free = free_memory(CPU, root=root)
    assert free is not None
    assert (free.num_bytes, free.source) == (1_750_000_000, "free below the container's limit of 4.0 GB")


def test_an_outer_group_may_be_the_tighter_one(tmp_path: Path) -> None:
    root = machine(tmp_path, cgroup="0::/outer/inner\n")
    for name, limit in (("outer", f"{2 * GB}"), ("outer/inner", "max")):
        folder = root / "sys/fs/cgroup" / name
        folder.mkdir(parents=True)
        (folder / "memory.max").write_text(limit)
        (folder / "memory.current").write_text(f"{GB}")
    free = free_memory(CPU, root=root)
    assert free is not None
    assert free.num_bytes == GB


def test_a_container_of_version_1_is_found_too(tmp_path: Path) -> None:
    root = machine(tmp_path, cgroup="5:cpu,cpuacct:/x\n4:memory:/job\n")
    for name, limit in ((".", 2**63 - 4096), ("job", 3 * GB)):
        folder = root / "sys/fs/cgroup/memory" / name
        folder.mkdir(parents=True)
        (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
        (folder / "memory.usage_in_bytes").write_text(f"{GB}\n")
    (folder / "memory.stat").write_text(
        f"cache 5\ninactive_file 1\ntotal_inactive_file {GB // 4}\ntotal_active_file 0\n"
    )
    free = free_memory(CPU, root=root)
    assert free is not None
    assert free.num_bytes == 2 * GB + GB // 4


def test_a_group_that_is_over_its_limit_has_nothing_free(tmp_path: Path) -> None:
    root = machine(tmp_path)
    write(root, **{"sys__fs__cgroup__memory.max": "100", "sys__fs__cgroup__memory.current": "200"})
    free = free_memory(CPU, root=root)
    assert free is not None
    assert free.num_bytes == 0


def test_where_nothing_can_be_read_the_bound_is_unknown(tmp_path: Path) -> None:
    assert free_memory(CPU, root=tmp_path) is None


def test_this_machine_has_memory() -> None:
    free = free_memory(CPU)
    assert free is None or free.num_bytes > 0
