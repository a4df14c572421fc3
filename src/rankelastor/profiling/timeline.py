"""Time by named stage: at every moment one stage is on, and a mark ends it and begins the next."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Hashable
from typing import Generic, TypeVar

import torch

StageName = TypeVar("StageName", bound=Hashable)


class Timeline(Generic[StageName]):
    """Marks of stages, from which their times are read once all work is done.

    On a CPU a mark is a reading of the clock. On CUDA it is an event in the device's queue, so that marking waits for
    nothing and the times are the device's own; a stage in which the device idles is charged with the idling.

    Args:
        device: where the work is done.

    Example:
        >>> timeline = Timeline(torch.device("cpu"))
        >>> timeline.enter("work")
        >>> _ = sum(range(1000))
        >>> timeline.enter("rest")
        >>> timeline.stop()["work"] > 0
        True
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stages: list[StageName] = []
        self._readings: list[float] = []
        self._events: list[torch.cuda.Event] = []

    def enter(self, stage: StageName) -> None:
        """From now on time belongs to ``stage``."""
        self._stages.append(stage)
        self._mark()

    def stop(self) -> dict[StageName, float]:
        """End the last stage; the seconds of each stage, over all times it was on. The timeline is empty afterwards."""
        self._mark()
        seconds: dict[StageName, float] = defaultdict(float)
        for stage, lasted in zip(self._stages, self._intervals(), strict=True):
            seconds[stage] += lasted
        self._stages, self._readings, self._events = [], [], []
        return dict(seconds)

    def _mark(self) -> None:
        if self._device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._events.append(event)
        else:
            self._readings.append(time.perf_counter())

    def _intervals(self) -> list[float]:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
            pairs = zip(self._events[:-1], self._events[1:], strict=True)
            return [1e-3 * begin.elapsed_time(end) for begin, end in pairs]
        return [end - begin for begin, end in zip(self._readings[:-1], self._readings[1:], strict=True)]
