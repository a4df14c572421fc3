"""Lower a network: the same parameters, computed by operations that replace one or several of its layers.

The plain network defines the result. ``Lowering`` makes a shadow of it, once, in which registered operations replace
layers; the network itself is not changed. An operation is registered for the EXACT type of a layer, so a
subclass keeps its own forward. Layers that are computed together (a norm, a gate and the map after it) are matched
when the network is lowered, not when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from rankelastor.execution import cuda_kernels, kernels
from rankelastor.execution.hooks import (
    has_forward_hooks,
    has_global_hooks,
    has_other_hooks,
    has_own_forward,
    is_compiling,
)
from rankelastor.execution.kernels.random_bytes import KernelRandomBytes
from rankelastor.execution.rules import Context, DeviceName, Operation, has_kernels_for, wrap_unlowered
from rankelastor.native import library

__all__ = ["Lowering", "cuda_kernels", "describe_kernels", "has_kernels", "kernels", "kernels_key"]


def has_kernels() -> bool:
    """Tell whether the kernels for the CPU could be built here and are switched on."""
    return has_kernels_for("cpu")


def describe_kernels() -> str | None:
    """Describe what the kernels are compiled for and what multiplies in them; None if there are none.

    The bits of a result depend on it, and on ``kernels_key``.
    """
    build = library.loaded_build()
    return None if build is None else str(build)


def kernels_key() -> str | None:
    """Return the hash of the kernels' sources, compiler and flags; None if there are none."""
    build = library.loaded_build()
    return None if build is None else build.key


class Lowering:
    """A lowered network: call ``current()`` once per step, then its result for each slice.

    Changes of the structure (replaced modules, hooks, a forward set on an instance) are noticed, and the network is
    lowered again. Other changes (parameters replaced, resized or frozen, another precision) are seen at each call: an
    operation that no longer fits calls the plain layers.

    Dropout masks are drawn from one stream, ``random_bytes``, so that they agree with those of any other lowering of
    the network with the same seed. Use one lowering per thread.

    Args:
        network: the network; its parameters may change in place.
        device: the kind of device that the network lies on.

    Example:
        >>> import torch
        >>> from rankelastor.nn.mixing.full import FullMixing
        >>> mixing = FullMixing(num_tokens=2, token_dim=3)
        >>> tokens = torch.randn(4, 2, 3)
        >>> torch.allclose(Lowering(mixing).current()(tokens), mixing(tokens), atol=1e-6)
        True
    """

    def __init__(self, network: nn.Module, *, device: DeviceName = "cpu") -> None:
        self._network = network
        self._device = device
        self.random_bytes = KernelRandomBytes(0)
        self._former: _Lowered | None = None
        self._lowered = self._lower()

    def current(self) -> Operation:
        """Return the function that computes the network now."""
        if has_global_hooks() or is_compiling():
            return wrap_unlowered(self._network, self.random_bytes)
        if not self._lowered.holds():
            self._change()
        self._lowered.context.take_attributes()
        return self._lowered.operation

    @property
    def is_lowered(self) -> bool:
        """Whether any operation replaces a layer."""
        return self._lowered.context.num_operations > 0

    @property
    def uses_kernels(self) -> bool:
        """Whether a kernel replaces any layer."""
        return self._lowered.context.num_kernels > 0

    def _change(self) -> None:
        """Lower anew, or go back to what was before, since observers add hooks for a step and remove them."""
        former, self._former = self._former, self._lowered
        self._lowered = former if former is not None and former.holds() else self._lower()
        if not self._former.is_of(self._lowered):
            self._former = None  # modules that were replaced may be freed

    def _lower(self) -> _Lowered:
        records = [_Record.of(module) for module in self._network.modules()]
        context = Context(self.random_bytes, self._device)
        return _Lowered(records, context, context.lower(self._network))


@dataclass(frozen=True)
class _Lowered:
    """What lowering made of a network, and the state of its modules for which it was made."""

    records: list[_Record]
    context: Context
    operation: Operation

    def holds(self) -> bool:
        """Tell whether the network is still as it was."""
        return all(record.holds() for record in self.records)

    def is_of(self, other: _Lowered) -> bool:
        """Tell whether both were made of the same modules."""
        return [id(record.module) for record in self.records] == [id(record.module) for record in other.records]


@dataclass(frozen=True)
class _Record:
    """The state of one module that lowering relied on."""

    module: nn.Module
    kind: type[nn.Module]
    forward: Callable[..., Any]
    children: tuple[nn.Module | None, ...]
    has_own_forward: bool
    has_forward_hooks: bool
    has_other_hooks: bool

    @classmethod
    def of(cls, module: nn.Module) -> _Record:
        return cls(
            module,
            type(module),
            type(module).forward,
            tuple(module._modules.values()),  # noqa: SLF001
            has_own_forward(module),
            has_forward_hooks(module),
            has_other_hooks(module),
        )

    def holds(self) -> bool:
        # This runs for every module at each step. It is written out, since function calls would take most of the time.
        attributes = self.module.__dict__
        has_forward = attributes["_forward_hooks"] or attributes["_forward_pre_hooks"]
        has_others = (
            attributes["_backward_hooks"]
            or attributes["_backward_pre_hooks"]
            or attributes["_forward_hooks_with_kwargs"]
            or attributes["_forward_pre_hooks_with_kwargs"]
            or attributes["_forward_hooks_always_called"]
        )
        return (
            type(self.module) is self.kind
            and self.kind.forward is self.forward
            and bool(has_forward) is self.has_forward_hooks
            and bool(has_others) is self.has_other_hooks
            and ("forward" in attributes) is self.has_own_forward
            and tuple(attributes["_modules"].values()) == self.children
        )
