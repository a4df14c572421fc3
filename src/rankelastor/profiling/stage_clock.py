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
from rankelastor.schema import Batch

StagePass = tuple[str, Literal["forward", "backward"]]
"""One direction of a stage, by its name."""

_STAGE_OF_PHASE: dict[StepPhase, StagePass] = {
    "copy": ("copy to device", "forward"),
    "forward": ("embedding", "forward"),  # rows are looked up first
    "loss": ("loss", "forward"),
    "backward": ("loss", "backward"),
    "optimiser": ("optimiser", "forward"),
    "done": ("other", "forward"),
}


class StageClock:
    """Times the stages of training steps while it watches a ranker; it costs nothing otherwise.

    The stages of the network are those that it names (``Ranker.stages``). Forward: ``embedding`` begins with the pass
    and ends when the embedding is assembled; the network's stages have hooks before and after each module. Backward: it
    runs in the opposite order, and enters a module when the gradient of the module's output is whole; it leaves the
    module when it enters the next. The first stretch, up to the gradient of the logits, is the loss's.
    """

    def __init__(self, device: torch.device) -> None:
        self._timeline: Timeline[StagePass] = Timeline(device)
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
        vars(ranker.embedding)["assemble"] = self._timed(ranker.embedding.assemble)
        self._watches = True
        self._timeline.enter(("data", "forward"))
        try:
            yield
        finally:
            self._watches = False
            del vars(ranker.embedding)["assemble"]
            for handle in handles:
                handle.remove()

    def seconds(self) -> dict[StagePass, float]:
        """Seconds by stage since the watching began; waits for the device."""
        return self._timeline.stop()

    def _before(self, stage: str) -> Callable[[nn.Module, Any], None]:
        def hook(_module: nn.Module, _inputs: object) -> None:
            self._timeline.enter((stage, "forward"))

        return hook

    def _after(self, stage: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_module: nn.Module, inputs: tuple[object, ...], output: Tensor) -> None:
            self._leave(stage, output, is_own=not any(output is given for given in inputs))

        return hook

    def _timed(self, assemble: Callable[[Tensor, Batch], Embedded]) -> Callable[[Tensor, Batch], Embedded]:
        def timed(found: Tensor, batch: Batch) -> Embedded:
            embedded = assemble(found, batch)
            self._leave("embedding", embedded.fields, is_own=True)
            return embedded

        return timed

    def _leave(self, stage: str, output: Tensor, *, is_own: bool) -> None:
        """The stage's forward pass is over; its backward pass, if it has any, begins at the output's gradient."""
        self._timeline.enter(("other", "forward"))
        if output.requires_grad and is_own:  # an identity has no backward
            output.register_hook(lambda _gradient: self._timeline.enter((stage, "backward")))
