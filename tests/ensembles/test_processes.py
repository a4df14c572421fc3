"""How many members are trained at a time."""

import pytest
import torch

from rankelastor.ensembles import processes
from rankelastor.ensembles.processes import Sharing, share_machine
from rankelastor.execution.free_memory import FreeMemory

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("num_members", "num_threads", "asked", "expected"),
    [
        (3, 8, None, Sharing(3, 2)),
        (8, 4, None, Sharing(4, 1)),
        (3, 1, None, Sharing(1, 1)),
        (3, 4, 1, Sharing(1, 4)),
        (2, 4, 9, Sharing(2, 2)),
        (4, 2, 3, Sharing(3, 1)),
    ],
)
def test_members_share_the_cores(num_members: int, num_threads: int, asked: int | None, expected: Sharing) -> None:
    shared = share_machine(num_members, device=CPU, num_threads=num_threads, bytes_of_each=1000, num_processes=asked)
    assert shared == expected


def test_without_a_setting_the_cores_are_those_that_pytorch_uses() -> None:
    assert share_machine(3, device=CPU, num_threads=None, bytes_of_each=1000) == Sharing(1, None)  # tests use one


def test_memory_bounds_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "free_memory", lambda _: FreeMemory(2500, "free"))
    assert share_machine(3, device=CPU, num_threads=8, bytes_of_each=1000) == Sharing(2, 4)
    assert share_machine(3, device=CPU, num_threads=8, bytes_of_each=5000) == Sharing(1, 8)


def test_a_gpu_trains_one_after_the_other() -> None:
    assert share_machine(3, device=torch.device("cuda"), num_threads=8, bytes_of_each=1000) == Sharing(1, 8)
