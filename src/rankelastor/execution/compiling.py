"""Compile what a training step computes, with its backward pass; where that fails, say so once and do without."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from functools import cache, partial
from inspect import signature

import torch
from torch import Tensor, nn

from rankelastor.config.execution import ExecutionSettings
from rankelastor.execution.hooks import has_hooks
from rankelastor.execution.lowering import Lowering
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.random_bytes import RandomBytes

logger = logging.getLogger(__name__)

Network = Callable[[Embedded], Tensor]
Compile = Callable[[Network], Network]
_OPTIONS = {"isolate_recompiles": True} if "isolate_recompiles" in signature(torch.compile).parameters else {}
"""A network's compiled code is its own. PyTorch that does not know this option compiles 8 structures a process."""
_TRIALS = {"cpu": 1, "cuda": 3}
"""On CUDA the first pass warms up, the second is recorded as a CUDA graph, the third replays it."""


def should_compile(settings: ExecutionSettings, device: torch.device) -> bool:
    """Tell whether ``training.compile`` means to compile on this device: ``auto`` does on CUDA.

    On the CPU building takes longer than it can win back: the kernels of ``native`` are as fast (docs/log.md).

    Example:
        >>> should_compile(ExecutionSettings(), torch.device("cpu")), should_compile(
        ...     ExecutionSettings(), torch.device("cuda")
        ... )
        (False, True)
    """
    return settings.compile == "always" or (settings.compile == "auto" and device.type == "cuda")


def compiler_for(device: torch.device) -> Compile:
    """PyTorch's compiler for one shape; on CUDA with CUDA graphs, which launch a whole pass at once."""
    mode = "reduce-overhead" if device.type == "cuda" else None
    return partial(torch.compile, dynamic=False, mode=mode, **_OPTIONS)


class CompiledNetwork:
    """A network compiled: the same modules and parameters, called in another way.

    Nothing is put into the network, so weights, names and hooks stay. It runs as it is, eagerly,

    - while one of its modules has hooks, which compiled code does not call;
    - for batches smaller than the largest so far, such as the last of an epoch: compiled code and CUDA graphs hold for
      one shape, and one small batch an epoch is not worth another;
    - for good once compiling has failed; a warning says why.

    The embedding stays outside: on the CPU the stepper takes the gradients of its rows itself. Calls come in order from
    one thread, since compiled dropout draws from PyTorch's one generator.

    Args:
        network: its parameters may change in place.
        compile_call: makes a compiled function of one; None takes PyTorch's compiler for the network's device.
    """

    def __init__(self, network: nn.Module, compile_call: Compile | None = None) -> None:
        self._network = network
        self._eager = Lowering(network)
        self._modules = list(network.modules())
        self._device = next(network.parameters()).device
        self._compile = compile_call or compiler_for(self._device)
        self._compiled: Network | None = None
        self._num_examples = 0
        self.has_failed = False
        """Whether it runs eagerly for good."""

    @property
    def is_compiled(self) -> bool:
        """Whether compiled code is in use."""
        return self._compiled is not None

    @property
    def uses_kernels(self) -> bool:
        """Whether kernels stand for layers where the network runs eagerly."""
        return self._device.type == "cpu" and self._eager.uses_kernels

    @property
    def random_bytes(self) -> RandomBytes:
        """The stream that dropout draws from where the network runs eagerly."""
        return self._eager.random_bytes

    def current(self) -> Network:
        """Give what computes the network now: compiled code, unless a module has hooks or compiling has failed."""
        if self.has_failed or has_hooks(*self._modules):
            return self._eager.current() if self._device.type == "cpu" else self._network
        return self._call

    def _call(self, embedded: Embedded) -> Tensor:
        call = self._call_for(embedded)
        self._begin_step()
        return call(embedded)

    def _call_for(self, embedded: Embedded) -> Network:
        num_examples = len(embedded.fields)
        if num_examples > self._num_examples:
            self._num_examples = num_examples
            self._build(embedded)
        if self._compiled is not None and num_examples == self._num_examples:
            return self._compiled
        return self._eager.current() if self._device.type == "cpu" else self._network

    def _build(self, embedded: Embedded) -> None:
        """Compile, and prove on this input that both passes run: compilers fail when first called, or later."""
        began = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the compiler's advice to whoever wrote the model
                compiled = self._compiled or self._compile(self._network.forward)
                self._try_out(compiled, embedded)
        except Exception as error:  # noqa: BLE001 - compilers raise what they like; eagerly, true mistakes show again
            self._compiled, self.has_failed = None, True
            _say_that_compiling_failed(_first_line(error))
            return
        self._compiled = compiled
        logger.info(
            "compiled the training step for %s examples in %.1f s", len(embedded.fields), time.perf_counter() - began
        )

    def _try_out(self, compiled: Network, embedded: Embedded) -> None:
        """Run both passes on copies, without a trace: no gradient is kept, and random numbers go on as before."""
        wanted = [parameter for parameter in self._network.parameters() if parameter.requires_grad]
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            for _ in range(_TRIALS.get(self._device.type, 1)):
                self._begin_step()
                given = _copy_with_gradients(embedded)
                torch.autograd.grad(compiled(given).sum(), [given.fields, *wanted], allow_unused=True)

    def _begin_step(self) -> None:
        """Tell CUDA graphs that results of the step before are no longer needed: they may be written over."""
        if self._device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()


def compiled_for_training(network: nn.Module, settings: ExecutionSettings) -> CompiledNetwork | None:
    """Compile the network, where ``training.compile`` and the device ask for it."""
    device = next(network.parameters()).device
    return CompiledNetwork(network) if should_compile(settings, device) else None


def _copy_with_gradients(embedded: Embedded) -> Embedded:
    sequences = tuple(sequence._replace(elements=sequence.elements.detach()) for sequence in embedded.sequences)
    return Embedded(embedded.fields.detach().requires_grad_(), sequences)


@cache
def _say_that_compiling_failed(reason: str) -> None:
    logger.warning(
        "training.compile should build the training step, but torch.compile failed: %s; it runs without, which gives "
        "the same results and is slower on a GPU; try training.compile=never, or a C++ compiler (g++) on the PATH",
        reason,
    )


def _first_line(error: Exception) -> str:
    """Take what an error says, without the pages that compilers add to it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
