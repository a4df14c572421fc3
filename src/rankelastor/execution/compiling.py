"""Compile the network of a training step with its backward pass; if that fails, warn once and run it eagerly."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache, partial

import torch
from torch import Tensor, nn

from rankelastor.config.execution import ExecutionSettings
from rankelastor.execution.hooks import has_hooks
from rankelastor.execution.lowering import Lowering
from rankelastor.execution.rules import device_name
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.random_bytes import RandomBytes

logger = logging.getLogger(__name__)

Network = Callable[[Embedded], Tensor]
Compile = Callable[[Network], Network]
_TRIALS = {"cpu": 1, "cuda": 3}
"""On CUDA the first pass warms up, the second is recorded as a CUDA graph, the third replays it."""


LARGE_WORK = 5e10
"""Least work of a step, in examples times dense parameters, for which ``training.compile=auto`` compiles on CUDA.

Measured on an H200: compiling takes 20 s and saves .5 ms of a recorded step of 1 million parameters and 4,096 examples,
and 21 ms of one of 92 million parameters and 16,384 examples.
"""


def should_compile(settings: ExecutionSettings, device: torch.device, *, work: float) -> bool:
    """Tell whether ``training.compile`` asks to compile on this device; ``auto`` compiles large steps on CUDA.

    On the CPU, compiling takes longer than it can save: the kernels of ``native`` are as fast (docs/log.md).

    Args:
        settings: settings, of which ``compile`` is used.
        device: device of the network.
        work: examples of a step times dense parameters.

    Example:
        >>> should_compile(ExecutionSettings(), torch.device("cpu"), work=1e12)
        False
        >>> should_compile(ExecutionSettings(), torch.device("cuda"), work=1e12)
        True
    """
    is_large = device.type == "cuda" and work >= LARGE_WORK
    return settings.compile == "always" or (settings.compile == "auto" and is_large)


def compiler_for(settings: ExecutionSettings, device: torch.device) -> Compile:
    """Return PyTorch's compiler for static shapes; on CUDA with CUDA graphs, which launch a whole pass at once.

    A step that is recorded as a whole needs no graphs of its passes.
    """
    mode = "reduce-overhead" if device.type == "cuda" and not should_record(settings, device) else None
    return partial(torch.compile, dynamic=False, mode=mode)


def should_record(settings: ExecutionSettings, device: torch.device) -> bool:
    """Tell whether ``training.record`` means to record whole steps on this device, see ``recorded_step.py``.

    Example:
        >>> should_record(ExecutionSettings(), torch.device("cpu")), should_record(
        ...     ExecutionSettings(), torch.device("cuda")
        ... )
        (False, True)
    """
    return settings.record == "auto" and device.type == "cuda"


class CompiledNetwork:
    """A compiled network with the same modules and parameters.

    The network itself is not changed, so its weights, names and hooks stay. On CUDA what is compiled is the lowered
    network, with kernels in Triton. It runs eagerly

    - while one of its modules has hooks, which compiled code does not call;
    - for batches smaller than the largest so far, such as the last of an epoch: compiled code and CUDA graphs are made
      for one shape, and one small batch per epoch does not pay for another compilation;
    - permanently once compiling has failed; a warning says why.

    The embedding is not compiled: on the CPU the stepper takes the gradients of its rows itself. Call it from one
    thread and in order, since compiled dropout draws from PyTorch's global generator.

    Args:
        network: the network; its parameters may change in place.
        compile_call: compiles a function; None selects PyTorch's compiler for a step that is not recorded.
    """

    def __init__(self, network: nn.Module, compile_call: Compile | None = None) -> None:
        self._network = network
        self._modules = list(network.modules())
        self._device = next(network.parameters()).device
        self._eager = Lowering(network, device=device_name(self._device))
        self._compile = compile_call or compiler_for(ExecutionSettings(record="never"), self._device)
        self._compiled: Network | None = None
        self._built_from: Network | None = None
        self._num_examples = 0
        self.has_failed = False
        """Whether compiling has failed, so that the network runs eagerly from now on."""

    @property
    def is_compiled(self) -> bool:
        """Whether compiled code is in use."""
        return self._compiled is not None

    @property
    def uses_kernels(self) -> bool:
        """Whether kernels replace layers when the network runs eagerly."""
        return self._eager.uses_kernels

    @property
    def random_bytes(self) -> RandomBytes:
        """The stream that dropout draws from when the network runs eagerly."""
        return self._eager.random_bytes

    def current(self) -> Network:
        """Return the function for this step: compiled code, unless a module has hooks or compiling has failed."""
        if self.has_failed or has_hooks(*self._modules):
            return self._eager.current()
        return self._call

    def _call(self, embedded: Embedded) -> Tensor:
        call = self._call_for(embedded)
        self._begin_step()
        return call(embedded)

    def _call_for(self, embedded: Embedded) -> Network:
        num_examples, source = len(embedded.fields), self._source()
        if num_examples > self._num_examples or source != self._built_from:
            self._num_examples = max(num_examples, self._num_examples)
            self._build(source, embedded)
        if self._compiled is not None and num_examples == self._num_examples:
            return self._compiled
        return self._eager.current()

    def _source(self) -> Network:
        """Return what is compiled: the network as it is, and on CUDA the lowered one."""
        return self._network.forward if self._device.type == "cpu" else self._eager.current()

    def _build(self, source: Network, embedded: Embedded) -> None:
        """Compile ``source``, and run both passes on this input: compilers may fail as late as at the first calls."""
        if source != self._built_from:
            self._built_from, self._compiled = source, None
        began = time.perf_counter()
        try:
            with warnings.catch_warnings(), _any_number_of_networks():
                warnings.simplefilter("ignore")  # the compiler's advice is meant for authors of models
                compiled = self._compiled or self._compile(source)
                self._try_out(compiled, embedded)
        except Exception as error:  # noqa: BLE001 - compilers raise any type; a real mistake is raised again by the eager run
            self._compiled, self.has_failed = None, True
            _warn_that_compiling_failed(_first_line(error))
            return
        self._compiled = compiled
        logger.info(
            "compiled the training step for %s examples in %.1f s", len(embedded.fields), time.perf_counter() - began
        )

    def _try_out(self, compiled: Network, embedded: Embedded) -> None:
        """Run both passes on copies without side effects: gradients and random number generators stay as they are."""
        wanted = [parameter for parameter in self._network.parameters() if parameter.requires_grad]
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            for _ in range(_TRIALS.get(self._device.type, 1)):
                self._begin_step()
                given = _copy_with_gradients(embedded)
                torch.autograd.grad(compiled(given).sum(), [given.fields, *wanted], allow_unused=True)

    def _begin_step(self) -> None:
        """Tell CUDA graphs that the results of the previous step may be overwritten."""
        if self._device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()


def compile_for_training(network: nn.Module, settings: ExecutionSettings, *, batch_size: int) -> CompiledNetwork | None:
    """Compile the network if ``training.compile`` asks for it on this device; otherwise return None."""
    device = next(network.parameters()).device
    work = batch_size * sum(parameter.numel() for parameter in network.parameters())
    if not should_compile(settings, device, work=work):
        return None
    return CompiledNetwork(network, compiler_for(settings, device))


def _any_number_of_networks() -> AbstractContextManager[None]:
    """Lift PyTorch's limit of eight sizes or kinds of networks a process, after which it runs all others eagerly."""
    from torch._dynamo import config  # noqa: PLC0415 - takes a second to import

    no_limit = {"recompile_limit": sys.maxsize, "accumulated_recompile_limit": sys.maxsize}
    limits: AbstractContextManager[None] = config.patch(no_limit)
    return limits


def _copy_with_gradients(embedded: Embedded) -> Embedded:
    sequences = tuple(sequence._replace(elements=sequence.elements.detach()) for sequence in embedded.sequences)
    return embedded._replace(fields=embedded.fields.detach().requires_grad_(), sequences=sequences)


@cache
def _warn_that_compiling_failed(reason: str) -> None:
    logger.warning(
        "training.compile should build the training step, but torch.compile failed: %s; the step runs without it, "
        "which gives the same results and is slower on a GPU; try training.compile=never, or install g++",
        reason,
    )


def _first_line(error: Exception) -> str:
    """Extract the first line of an error message; compilers append pages of output."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
