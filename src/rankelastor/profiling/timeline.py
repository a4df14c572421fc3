"""Measure time by named stage: exactly one stage is active at a time, and each mark begins the next one."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Hashable
from typing import Generic, TypeVar

import torch

StageName = TypeVar("StageName", bound=Hashable)


class Timeline(Generic[StageName]):
    """Timeline of stages, whose durations are computed when it is stopped.

    On a CPU a mark reads the clock. On CUDA it is an event on the device's stream, so marking does not synchronise and
    the durations are measured on the device; idle time of the device is attributed to the stage in which it occurs.

    Args:
        device: device that does the work.

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
        """Begin ``stage``, ending the previous one."""
        self._stages.append(stage)
        self._mark()

    def stop(self) -> dict[StageName, float]:
        """End the last stage, return the total seconds of each stage, and clear the timeline."""
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
