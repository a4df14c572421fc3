"""Lower a network: the same parameters, computed by operations that stand for one or several of its layers.

The plain network is the meaning. ``Lowering`` makes a shadow of it, once, in which registered operations take the
place of layers; nothing is put into the network itself. An operation is registered for the EXACT type of a layer, so a
subclass keeps its own forward. Layers that are computed together (a norm, a gate and the map behind it) are matched
when the network is lowered, not when it is called.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from rankelastor.execution import kernels
from rankelastor.execution.hooks import (
    has_forward_hooks,
    has_global_hooks,
    has_other_hooks,
    has_own_forward,
    is_compiling,
)
from rankelastor.execution.rules import Context, Operation, as_it_is
from rankelastor.native import library
from rankelastor.nn.random_bytes import RandomBytes

__all__ = ["Lowering", "has_kernels", "kernels"]


def has_kernels() -> bool:
    """Tell whether the kernels could be built here and are switched on."""
    return library.kernels() is not None


class Lowering:
    """A network lowered: call ``current()`` once a step, then the result for each slice.

    It notices what changed since it was lowered (modules replaced, hooks, a forward set on an instance) and lowers
    anew. Other changes (parameters replaced, resized or frozen, another precision) are read at each call: an operation
    that no longer fits leaves the work to the plain layers.

    Dropout masks come from one stream, ``random_bytes``, so that they agree with those of any other lowering of the
    network that is seeded alike. Use one lowering per thread.

    Example:
        >>> import torch
        >>> from rankelastor.nn.mixing.full import FullMixing
        >>> mixing = FullMixing(num_tokens=2, token_dim=3)
        >>> tokens = torch.randn(4, 2, 3)
        >>> torch.allclose(Lowering(mixing).current()(tokens), mixing(tokens), atol=1e-6)
        True
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self.random_bytes = RandomBytes(0)
        self._lower()

    def current(self) -> Operation:
        """Give what computes the network now."""
        if has_global_hooks() or is_compiling():
            return as_it_is(self._network, self.random_bytes)
        if not all(record.holds() for record in self._records):
            self._lower()
        self._context.take_attributes()
        return self._operation

    @property
    def is_lowered(self) -> bool:
        """Whether any operation stands for a layer."""
        return self._context.num_operations > 0

    @property
    def uses_kernels(self) -> bool:
        """Whether a kernel stands for any layer."""
        return self.is_lowered and has_kernels()

    def _lower(self) -> None:
        self._records = [_Record.of(module) for module in self._network.modules()]
        self._context = Context(self.random_bytes)
        self._operation = self._context.lower(self._network)


@dataclass(frozen=True)
class _Record:
    """What lowering relied on in one module."""

    module: nn.Module
    kind: type[nn.Module]
    children: tuple[nn.Module | None, ...]
    has_own_forward: bool
    has_forward_hooks: bool
    has_other_hooks: bool

    @classmethod
    def of(cls, module: nn.Module) -> _Record:
        return cls(
            module,
            type(module),
            tuple(module._modules.values()),  # noqa: SLF001
            has_own_forward(module),
            has_forward_hooks(module),
            has_other_hooks(module),
        )

    def holds(self) -> bool:
        # Asked for every module at each step: written out, since calls would take most of the time.
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
            and bool(has_forward) is self.has_forward_hooks
            and bool(has_others) is self.has_other_hooks
            and ("forward" in attributes) is self.has_own_forward
            and tuple(attributes["_modules"].values()) == self.children
        )
