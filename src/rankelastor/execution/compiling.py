"""Compile what a training step computes, with its backward pass; where that fails, say so once and do without."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from functools import cache, partial
from inspect import signature

import torch
from torch import Tensor

from rankelastor.config.training import TrainingSettings
from rankelastor.models.ranker import Ranker
from rankelastor.nn.observation import is_watched
from rankelastor.nn.random_bytes import random_bytes_from
from rankelastor.schema import Batch

logger = logging.getLogger(__name__)

Compile = Callable[[Callable[[Tensor], Tensor]], Callable[[Tensor], Tensor]]
_OPTIONS = {"isolate_recompiles": True} if "isolate_recompiles" in signature(torch.compile).parameters else {}
"""A ranker's compiled code is its own. PyTorch that does not know this option compiles 8 structures a process."""
_TRIALS = {"cpu": 1, "cuda": 3}
"""On CUDA the first pass warms up, the second is recorded as a CUDA graph, the third replays it."""


def should_compile(settings: TrainingSettings, device: torch.device) -> bool:
    """Whether ``training.compile`` means to compile on this device: ``auto`` does on CUDA.

    On the CPU building takes longer than it can win back: the kernels of ``native`` are as fast (docs/log.md).

    Example:
        >>> should_compile(TrainingSettings(), torch.device("cpu")), should_compile(
        ...     TrainingSettings(), torch.device("cuda")
        ... )
        (False, True)
    """
    return settings.compile == "always" or (settings.compile == "auto" and device.type == "cuda")


def compiler_for(device: torch.device) -> Compile:
    """PyTorch's compiler for one shape; on CUDA with CUDA graphs, which launch a whole pass at once."""
    mode = "reduce-overhead" if device.type == "cuda" else None
    return partial(torch.compile, dynamic=False, mode=mode, **_OPTIONS)


class CompiledRanker:
    """A ranker's logits, its backbone compiled: the same modules and parameters, called in another way.

    Nothing is put into the ranker, so weights, names and hooks stay. It runs as it is, eagerly,

    - while somebody watches one of its modules, who would hear nothing of compiled ones;
    - for batches smaller than the largest so far, such as the last of an epoch: compiled code and CUDA graphs hold for
      one shape, and one small batch an epoch is not worth another;
    - for good once compiling has failed; a warning says why.

    The lookups of the embeddings stay outside: on the CPU the stepper takes their gradients row by row. Calls come in
    order from one thread, since compiled dropout draws from PyTorch's one generator; once it has failed, from several.

    Args:
        ranker: its parameters may change in place.
        compile_call: makes a compiled function of one; None takes PyTorch's compiler for the ranker's device.
    """

    def __init__(self, ranker: Ranker, compile_call: Compile | None = None) -> None:
        self._ranker = ranker
        self._device = next(ranker.parameters()).device
        self._compile = compile_call or compiler_for(self._device)
        self._compiled: Callable[[Tensor], Tensor] | None = None
        self._num_examples = 0
        self.has_failed = False
        """Whether it runs eagerly for good."""

    @property
    def is_compiled(self) -> bool:
        """Whether compiled code is in use."""
        return self._compiled is not None

    def __call__(self, batch: Batch) -> Tensor:
        """Logits (batch,) of a batch, as ``ranker(batch)`` gives them."""
        if self.has_failed or is_watched(*self._ranker.modules()):
            logits: Tensor = self._ranker(batch)
            return logits
        embeddings = self._ranker.embedding(batch.categorical, batch.numeric, batch.sequence)
        call = self._call_for(embeddings)
        self._begin_step()
        return call(embeddings)

    def _call_for(self, embeddings: Tensor) -> Callable[[Tensor], Tensor]:
        if len(embeddings) > self._num_examples:
            self._num_examples = len(embeddings)
            self._build(embeddings)
        fits = self._compiled is not None and len(embeddings) == self._num_examples
        return self._compiled if fits and self._compiled is not None else self._ranker.backbone

    def _build(self, embeddings: Tensor) -> None:
        """Compile, and prove on these embeddings that both passes run: compilers fail when first called, or later."""
        began = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the compiler's advice to whoever wrote the model
                compiled = self._compiled or self._compile(self._ranker.backbone.forward)
                self._try_out(compiled, embeddings)
        except Exception as error:  # noqa: BLE001 - compilers raise what they like; eagerly, true mistakes show again
            self._compiled, self.has_failed = None, True
            _say_that_compiling_failed(_first_line(error))
            return
        self._compiled = compiled
        logger.info(
            "compiled the training step for %s examples in %.1f s", len(embeddings), time.perf_counter() - began
        )

    def _try_out(self, compiled: Callable[[Tensor], Tensor], embeddings: Tensor) -> None:
        """Both passes on copies, without a trace: no gradient is kept, and random numbers go on as before."""
        wanted = [parameter for parameter in self._ranker.backbone.parameters() if parameter.requires_grad]
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices), random_bytes_from(0):
            for _ in range(_TRIALS.get(self._device.type, 1)):
                self._begin_step()
                given = embeddings.detach().requires_grad_()
                torch.autograd.grad(compiled(given).sum(), [given, *wanted], allow_unused=True)

    def _begin_step(self) -> None:
        """Results of the step before are no longer needed: a CUDA graph may write over them."""
        if self._device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()


def compiled_for_training(ranker: Ranker, settings: TrainingSettings) -> CompiledRanker | None:
    """The ranker compiled, where ``training.compile`` and the device ask for it."""
    device = next(ranker.parameters()).device
    return CompiledRanker(ranker) if should_compile(settings, device) else None


@cache
def _say_that_compiling_failed(reason: str) -> None:
    logger.warning(
        "training.compile should build the training step, but torch.compile failed: %s; it runs without, which gives "
        "the same results and is slower on a GPU; try training.compile=never, or a C++ compiler (g++) on the PATH",
        reason,
    )


def _first_line(error: Exception) -> str:
    """What an error says, without the pages that compilers add to it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
