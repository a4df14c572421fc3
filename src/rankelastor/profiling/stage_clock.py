"""Time the stages of a training step with hooks on the ranker's modules and the phases of the stepper."""

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
"""The name of a stage and one direction."""

_STAGE_OF_PHASE: dict[StepPhase, StagePass] = {
    "copy": ("copy to device", "forward"),
    "forward": ("embedding", "forward"),  # the forward pass begins with the lookup
    "loss": ("loss", "forward"),
    "backward": ("loss", "backward"),
    "exchange": ("exchange", "forward"),
    "optimiser": ("optimiser", "forward"),
    "done": ("other", "forward"),
}


class StageClock:
    """Timer of the stages of training steps, with hooks that are registered inside `attach` only.

    The network names its stages (``Ranker.stages``). Forward: ``embedding`` begins with the pass and ends when the
    embedding is assembled; the network's stages have hooks before and after each module. Backward: the order is
    reversed; a stage begins when the gradient of its module's output is complete and ends when the next one begins. The
    time until the gradient of the logits is complete belongs to the loss.
    """

    def __init__(self, device: torch.device) -> None:
        self._timeline: Timeline[StagePass] = Timeline(device)
        self._is_attached = False

    def on_phase(self, phase: StepPhase) -> None:
        """Start the stage of the phase; called by the stepper."""
        if self._is_attached:
            self._timeline.enter(_STAGE_OF_PHASE[phase])

    @contextmanager
    def attach(self, ranker: Ranker) -> Iterator[None]:
        """Time the stages of the ranker inside the block, which begins with the stage ``data``."""
        modules = [(stage, module) for stage, found in ranker.stages.items() for module in found]
        handles = [module.register_forward_pre_hook(self._hook_before(stage)) for stage, module in modules]
        handles += [module.register_forward_hook(self._hook_after(stage)) for stage, module in modules]
        vars(ranker.embedding)["assemble"] = self._time_assembly(ranker.embedding.assemble)
        self._is_attached = True
        self._timeline.enter(("data", "forward"))
        try:
            yield
        finally:
            self._is_attached = False
            del vars(ranker.embedding)["assemble"]
            for handle in handles:
                handle.remove()

    def seconds(self) -> dict[StagePass, float]:
        """Return the seconds per stage since `attach` was entered; waits for the device."""
        return self._timeline.stop()

    def _hook_before(self, stage: str) -> Callable[[nn.Module, Any], None]:
        def hook(_module: nn.Module, _inputs: object) -> None:
            self._timeline.enter((stage, "forward"))

        return hook

    def _hook_after(self, stage: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_module: nn.Module, inputs: tuple[object, ...], output: Tensor) -> None:
            self._leave(stage, output, is_own=not any(output is given for given in inputs))

        return hook

    def _time_assembly(self, assemble: Callable[[Tensor, Batch], Embedded]) -> Callable[[Tensor, Batch], Embedded]:
        def timed(found: Tensor, batch: Batch) -> Embedded:
            embedded = assemble(found, batch)
            self._leave("embedding", embedded.fields, is_own=True)
            return embedded

        return timed

    def _leave(self, stage: str, output: Tensor, *, is_own: bool) -> None:
        """End the forward pass of a stage; its backward pass, if any, begins with the gradient of the output."""
        self._timeline.enter(("other", "forward"))
        if output.requires_grad and is_own:  # an identity has no backward
            output.register_hook(lambda _gradient: self._timeline.enter((stage, "backward")))
