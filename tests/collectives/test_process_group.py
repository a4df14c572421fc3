"""What ranks exchange, held against values by hand."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
import torch
from tests.collectives.ranks import on_ranks
from torch import Tensor

from rankelastor.collectives import process_group
from rankelastor.collectives.joining import joined
from rankelastor.collectives.processes import LostProcessError, Processes
from rankelastor.training.distributed.gradients import SharedGradient


@pytest.mark.parametrize("bucket_bytes", [1, 30, 10**6])
def test_sums_of_all_dtypes_and_shapes_are_the_same_everywhere(
    bucket_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_group, "BUCKET_BYTES", bucket_bytes)

    def work(processes: Processes) -> list[Tensor]:
        rank = processes.world.rank
        tensors = [
            torch.full((2, 3), float(rank)).T,
            torch.tensor(rank, dtype=torch.float64),
            torch.arange(4.0)[::2] + rank,
            torch.zeros(0),
        ]
        processes.sum(tensors, kind="dense")
        assert processes.traffic.num_bytes == {"dense": 4 * 6 + 8 + 4 * 2}
        return tensors

    for first, second, third, empty in on_ranks(3, work):
        assert torch.equal(first, torch.full((3, 2), 3.0))
        assert second.item() == 3
        assert third.tolist() == [3.0, 9.0]
        assert empty.shape == (0,)


def test_rows_of_uneven_numbers_come_by_rank() -> None:
    def work(processes: Processes) -> list[Tensor]:
        rank = processes.world.rank
        return processes.rows(torch.full((rank, 2), rank, dtype=torch.int64), kind="rows")

    for parts in on_ranks(3, work):
        assert [part.tolist() for part in parts] == [[], [[1, 1]], [[2, 2], [2, 2]]]


def test_nobody_may_have_a_row() -> None:
    found = on_ranks(2, lambda processes: processes.rows(torch.zeros(0, 3), kind="rows"))
    assert [[part.shape for part in parts] for parts in found] == [[(0, 3)] * 2] * 2


def test_values_come_as_they_are() -> None:
    value = {"auc": 0.1 + 0.2, "word": "größer", "nothing": None, "list": [1, 2]}

    def work(processes: Processes) -> tuple[object, object]:
        rank = processes.world.rank
        return processes.from_first(lambda: {**value, "rank": rank}), processes.of_all(rank)

    assert on_ranks(2, work) == [({**value, "rank": 0}, [0, 1])] * 2


def test_the_state_of_the_first_replaces_that_of_the_others() -> None:
    def work(processes: Processes) -> list[float]:
        tensors = [torch.full((2, 2), float(processes.world.rank)).T, torch.zeros(0)]
        processes.copy_from_first(tensors)
        return tensors[0].flatten().tolist()

    assert on_ranks(2, work) == [[0.0] * 4] * 2


def test_a_process_that_is_gone_is_said_so() -> None:
    def work(processes: Processes) -> str:
        if processes.world.rank == 1:
            return ""  # its group is closed when nothing refers to it any more
        with pytest.raises(LostProcessError, match="all 2 processes of a training must go on") as lost:
            processes.sum([torch.zeros(2)], kind="dense")
        return str(lost.value)

    assert on_ranks(2, work)[0]


def free_port() -> int:
    """Return a port of this machine that nobody listens to."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    """The one process of a training that torchrun started, joined by nccl where there is a GPU."""
    given = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
    for name, value in (given | {"MASTER_PORT": str(free_port())}).items():
        monkeypatch.setenv(name, value)
    with joined(os.environ) as together:
        yield together.processes


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_one_process_with_nccl_exchanges_what_lies_on_its_gpu_and_beside_it(one_process: Processes) -> None:
    on_gpu, beside = torch.arange(6.0, device="cuda").view(2, 3).T, torch.tensor([1.0])
    one_process.sum([on_gpu, beside], kind="dense")
    assert (on_gpu.cpu().tolist(), beside.tolist()) == ([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]], [1.0])
    rows = one_process.rows(torch.tensor([[4, 5]], device="cuda"), kind="rows")
    assert [(each.is_cuda, each.tolist()) for each in rows] == [(True, [[4, 5]])]
    one_process.copy_from_first([on_gpu])
    assert on_gpu.cpu().tolist() == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    assert one_process.of_all({"auc": 0.5}) == [{"auc": 0.5}]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_one_process_with_nccl_has_the_gradients_of_none(one_process: Processes) -> None:
    torch.manual_seed(1)
    dense, table = (torch.nn.Parameter(torch.randn(4, 4, device="cuda")) for _ in range(2))
    rows = torch.tensor([[0, 2], [2, 3]], device="cuda")
    loss = (table[rows].sum(dim=1) @ dense).square().sum()
    loss.backward()
    alone = [parameter.grad.clone() for parameter in (dense, table) if parameter.grad is not None]
    exchange = SharedGradient(one_process)
    assert exchange.begin(rows).tolist() == [0, 2, 3]
    exchange.end_in_place([dense], table, loss.detach())
    assert dense.grad is not None
    assert table.grad is not None
    torch.testing.assert_close([dense.grad, table.grad], alone)
