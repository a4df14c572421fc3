"""Which stage of a training step is on: told by hooks on the ranker's modules and by the stepper's phases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rankelastor.execution.phases import StepPhase
from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.profiling.timeline import Timeline

Stage = tuple[str, Literal["forward", "backward"]]

_STAGE_OF_PHASE: dict[StepPhase, Stage] = {
    "copy": ("copy to device", "forward"),
    "forward": ("other", "forward"),
    "loss": ("loss", "forward"),
    "backward": ("loss", "backward"),
    "optimiser": ("optimiser", "forward"),
    "done": ("other", "forward"),
}


class StageClock:
    """Times the stages of training steps while it watches a ranker; it costs nothing otherwise.

    The stages are those that the ranker names (``Ranker.stages``). Forward: hooks before and after each module.
    Backward: it runs in the opposite order, and enters a module when the gradient of the module's output is whole; it
    leaves the module when it enters the next. The first stretch, up to the gradient of the logits, is the loss's.
    """

    def __init__(self, device: torch.device) -> None:
        self._timeline: Timeline[Stage] = Timeline(device)
        self._watches = False

    def on_phase(self, phase: StepPhase) -> None:
        """What the stepper calls."""
        if self._watches:
            self._timeline.enter(_STAGE_OF_PHASE[phase])

    @contextmanager
    def watching(self, ranker: Ranker) -> Iterator[None]:
        """Watch what the ranker does inside the block; begins with the stage ``data``."""
        modules = [(stage, module) for stage, found in ranker.stages.items() for module in found]
        handles = [module.register_forward_pre_hook(self._before(stage)) for stage, module in modules]
        handles += [module.register_forward_hook(self._after(stage)) for stage, module in modules]
        self._watches = True
        self._timeline.enter(("data", "forward"))
        try:
            yield
        finally:
            self._watches = False
            for handle in handles:
                handle.remove()

    def seconds(self) -> dict[Stage, float]:
        """Seconds by stage since the watching began; waits for the device."""
        return self._timeline.stop()

    def _before(self, stage: str) -> Callable[[nn.Module, Any], None]:
        def hook(_module: nn.Module, _inputs: object) -> None:
            self._timeline.enter((stage, "forward"))

        return hook

    def _after(self, stage: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_module: nn.Module, inputs: tuple[object, ...], output: Tensor | Embedded) -> None:
            output = output.fields if isinstance(output, Embedded) else output
            self._timeline.enter(("other", "forward"))
            if output.requires_grad and not any(output is given for given in inputs):  # identity has no backward
                output.register_hook(lambda _gradient: self._timeline.enter((stage, "backward")))

        return hook
