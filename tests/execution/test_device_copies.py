"""What the copies to a device do, in what order, and in which stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from tests.training.test_step import batch

from rankelastor.data.loading.read_ahead import ReadAhead
from rankelastor.execution.device_copies import DeviceCopies, copies_to
from rankelastor.schema import Batch


class FakeCuda:
    """Streams that write down what happens in them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[str] = []
        self.now_in = "steps"
        fake = self

        class Stream:
            def __init__(self, _device: object) -> None:
                pass

            def synchronize(self) -> None:
                fake.events.append("waited for the copies")

        @contextmanager
        def stream(_stream: Stream) -> Iterator[None]:
            fake.now_in = "copies"
            yield
            fake.now_in = "steps"

        def pin_memory(self: Batch) -> Batch:
            fake.events.append("pinned")
            return self

        def to(self: Batch, device: torch.device) -> Batch:
            fake.events.append(f"copied to {device} in the stream of {fake.now_in}")
            return self

        def record_stream(_tensor: torch.Tensor, used_in: str) -> None:
            fake.events.append(f"kept for {used_in}")

        for owner, name, value in (
            (torch.cuda, "Stream", Stream),
            (torch.cuda, "stream", stream),
            (torch.cuda, "current_stream", lambda _device: "the steps"),
            (Batch, "pin_memory", pin_memory),
            (Batch, "to", to),
            (torch.Tensor, "record_stream", record_stream),
        ):
            monkeypatch.setattr(owner, name, value)


def test_a_batch_is_pinned_copied_in_its_own_stream_and_kept_for_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCuda(monkeypatch)
    copies = copies_to(torch.device("cuda"))
    assert isinstance(copies, DeviceCopies)
    copies(batch(0))
    assert fake.events == [
        "pinned",
        "copied to cuda in the stream of copies",
        "waited for the copies",
        *["kept for the steps"] * 3,  # ids, numbers and labels
    ]
    assert fake.now_in == "steps"


def test_on_the_cpu_batches_stay_where_they_are() -> None:
    assert copies_to(torch.device("cpu")) is None


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_many_batches_arrive_whole_while_steps_wait_in_the_queue() -> None:
    device = torch.device("cuda")
    given = [batch(seed, 4096) for seed in range(40)]
    busy = torch.randn(2048, 2048, device=device)
    sums: list[Any] = []
    with ReadAhead(given, depth=8, prepare=copies_to(device)) as ahead:
        for copied in ahead:
            assert copied.numeric.is_cuda
            busy = torch.tanh(busy @ busy)  # the queue runs full: memory must not be taken while it waits
            sums.append((copied.numeric.double().sum(), copied.categorical.sum()))
    for (numeric, categorical), examples in zip(sums, given, strict=True):
        assert numeric.item() == pytest.approx(examples.numeric.double().sum().item())
        assert categorical.item() == examples.categorical.sum().item()
