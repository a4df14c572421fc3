"""Which stage of a training step is on: told by hooks on the ranker's modules and by the stepper's phases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from rankelastor.execution.phases import StepPhase
from rankelastor.models.ranker import Ranker
from rankelastor.nn.block import Block
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.profiling.timeline import Timeline

StagePass = tuple[str, Literal["forward", "backward"]]
"""One direction of a stage, by its name."""

MODULE_STAGES = ("embedding", "tokenizer", "mixing", "block norms", "FFN", "head")
_STAGE_OF_PHASE: dict[StepPhase, StagePass] = {
    "copy": ("copy to device", "forward"),
    "forward": ("other", "forward"),
    "loss": ("loss", "forward"),
    "backward": ("loss", "backward"),
    "optimiser": ("optimiser", "forward"),
    "done": ("other", "forward"),
}


class StageClock:
    """Times the stages of training steps while it watches a ranker; it costs nothing otherwise.

    Forward: hooks before and after each module. Backward: the gradient of a module's output is whole when the backward
    pass enters the module, since the ranker is a chain; it leaves it when the gradient of the output before is whole.
    The first stretch, up to the gradient of the logits, is the loss's.
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
        modules = [(stage, module) for stage, found in modules_by_stage(ranker).items() for module in found]
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

    def seconds(self) -> dict[StagePass, float]:
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


def modules_by_stage(ranker: Ranker) -> dict[str, list[nn.Module]]:
    """The modules whose work makes up each stage; those of all blocks together."""
    blocks = [cast("Block", block) for block in ranker.network.blocks]
    return {
        "embedding": [ranker.embedding],
        "tokenizer": [ranker.network.tokenizer],
        "mixing": [block.mixing for block in blocks],
        "block norms": [block.norm for block in blocks],
        "FFN": [block.pffn for block in blocks],
        "head": [ranker.network.head],
    }
