import time

import pytest
import torch

from rankelastor.profiling.timeline import Timeline

CPU = torch.device("cpu")


def test_time_belongs_to_the_stage_that_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([1.0, 3.0, 7.0, 7.5, 10.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(readings))
    timeline: Timeline[str] = Timeline(CPU)
    for stage in ("read", "work", "read", "rest"):
        timeline.enter(stage)
    assert timeline.stop() == {"read": 2.5, "work": 4.0, "rest": 2.5}


def test_a_stopped_timeline_begins_anew() -> None:
    timeline: Timeline[str] = Timeline(CPU)
    timeline.enter("first")
    timeline.stop()
    timeline.enter("second")
    assert set(timeline.stop()) == {"second"}


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_the_time_is_the_devices_own() -> None:
    device = torch.device("cuda")
    matrix = torch.randn(4096, 4096, device=device)
    torch.cuda.synchronize()
    timeline: Timeline[str] = Timeline(device)
    timeline.enter("much")
    for _ in range(20):
        matrix @ matrix
    timeline.enter("little")
    matrix[:1] @ matrix
    seconds = timeline.stop()
    assert seconds["much"] > 5 * seconds["little"]
