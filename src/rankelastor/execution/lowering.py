"""Lower a network: the same parameters, computed by operations that stand for one or several of its layers.

The plain network is the meaning. ``Lowering`` makes a shadow of it, once, in which registered operations take the place
of layers; nothing is put into the network itself. An operation is registered for the EXACT type of a layer, so a subclass
keeps its own forward. Layers that are computed together (a norm, a gate and the map behind it) are matched when the
network is lowered, not when it is called.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn

from rankelastor.execution.hooks import (
    FORWARD_HOOKS,
    call_with_forward_hooks,
    has_forward_hooks,
    has_global_hooks,
    has_other_hooks,
    is_compiling,
)
from rankelastor.native.library import kernels
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.random_bytes import RandomBytes

ModuleType = TypeVar("ModuleType", bound=nn.Module)
Operation = Callable[[Any], Tensor]
"""Computes what a layer computes, or several layers in a row."""


class Rule(Protocol[ModuleType]):
    """Gives the operation for a layer of one type; None leaves the layer as it is."""

    def __call__(self, layer: ModuleType, context: Context, /) -> Operation | None:
        """Make the operation, from layers that ``context`` says are plain."""
        ...


@dataclass(frozen=True)
class _Registered:
    rule: Rule[Any]
    needs_kernels: bool


_RULES: dict[type[nn.Module], _Registered] = {}


def lowers(
    *kinds: type[ModuleType], needs_kernels: bool = True
) -> Callable[[Rule[ModuleType]], Rule[ModuleType]]:
    """Register the decorated rule for layers of exactly these types.

    Args:
        kinds: the types.
        needs_kernels: whether the rule is left out where the kernels cannot be built.
    """

    def register(rule: Rule[ModuleType]) -> Rule[ModuleType]:
        for kind in kinds:
            assert kind not in _RULES, f"{kind.__name__} has a rule already"
            _RULES[kind] = _Registered(rule, needs_kernels)
        return rule

    return register


def lowered_types() -> tuple[type[nn.Module], ...]:
    """List the types of layers that have a rule."""
    return tuple(_RULES)


@dataclass
class Context:
    """What rules know while a network is lowered.

    Attributes:
        random_bytes: the stream that dropout masks of this lowering are drawn from.
        num_operations: how many layers an operation stands for so far.
    """

    random_bytes: RandomBytes
    num_operations: int = 0
    _lowered: dict[nn.Module, Operation] = field(default_factory=dict)
    _shadows: list[_Shadow] = field(default_factory=list)

    def is_plain(self, layer: nn.Module, kind: type[nn.Module]) -> bool:
        """Tell whether an operation may stand for ``layer``: exactly of this type, without hooks or a forward of its own."""
        return type(layer) is kind and "forward" not in layer.__dict__ and not _is_hooked(layer)

    def lower(self, layer: nn.Module) -> Operation:
        """Lower a layer: an operation, a shadow with lowered children, or the layer itself where nothing applies.

        A layer that several parents share is lowered once.
        """
        if layer not in self._lowered:
            self._lowered[layer] = self._lower(layer)
        return self._lowered[layer]

    def lower_each(self, layers: Sequence[nn.Module]) -> list[Operation]:
        """Lower several layers, in order."""
        return [self.lower(layer) for layer in layers]

    def take_attributes(self) -> None:
        """Give every shadow the plain attributes of its source again, ``training`` among them."""
        for shadow in self._shadows:
            shadow.take_attributes()

    def _lower(self, layer: nn.Module) -> Operation:
        if has_other_hooks(layer) or "forward" in layer.__dict__:
            return layer  # runs as it is, with all that lies below it
        operation = self._operation(layer)
        if operation is None:
            operation = self._shadow(layer)
            if operation is layer or not has_forward_hooks(layer):
                return operation
        return _InPlaceOf(layer, operation)

    def _operation(self, layer: nn.Module) -> Operation | None:
        registered = _RULES.get(type(layer))
        if registered is None or (registered.needs_kernels and kernels() is None):
            return None
        operation = registered.rule(layer, self)
        self.num_operations += operation is not None
        return operation

    def _shadow(self, layer: nn.Module) -> Operation:
        children = {name: child and self.lower(child) for name, child in layer._modules.items()}  # noqa: SLF001
        own: dict[str, Any] = {"_modules": children, **{kind: OrderedDict() for kind in FORWARD_HOOKS}}
        if isinstance(layer, Dropout):
            own["random_bytes"] = self.random_bytes
        elif all(children[name] is child for name, child in layer._modules.items()):  # noqa: SLF001
            return layer
        shadow = _Shadow(layer, own)
        self._shadows.append(shadow)
        return shadow.copy


class _Shadow:
    """A copy of a layer that shares its parameters and buffers and has lowered children, and no hooks."""

    def __init__(self, source: nn.Module, own: dict[str, Any]) -> None:
        self._source = source
        self._own = own
        self.copy = copy.copy(source)
        self.take_attributes()

    def take_attributes(self) -> None:
        self.copy.__dict__.update(self._source.__dict__)
        self.copy.__dict__.update(self._own)


class _InPlaceOf:
    """An operation in the place of a layer: it has the layer's attributes, and calls its forward hooks."""

    def __init__(self, source: nn.Module, operation: Operation) -> None:
        self._source = source
        self._operation = operation
        self._compute = partial(call_with_forward_hooks, source, operation) if has_forward_hooks(source) else operation

    def __call__(self, *inputs: Any) -> Tensor:
        return self._compute(*inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class Lowering:
    """A network lowered: call ``current()`` once a step, then the result for each slice.

    It notices what changed since it was lowered (modules replaced, hooks, a forward set on an instance) and lowers anew.
    What changes without that (parameters replaced, resized or frozen, other precisions) is read at each call: operations
    that no longer fit leave the work to the plain layers.

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
        self._dropouts = [module for module in network.modules() if isinstance(module, Dropout)]
        self._lower()

    def current(self) -> Operation:
        """Give what computes the network now."""
        if has_global_hooks() or is_compiling():
            return self._as_it_is
        if not all(record.holds() for record in self._records):
            self._lower()
        self._context.take_attributes()
        return self._operation

    @property
    def is_lowered(self) -> bool:
        """Whether any operation stands for a layer."""
        return self._context.num_operations > 0

    def _lower(self) -> None:
        self._records = [_Record.of(module) for module in self._network.modules()]
        self._dropouts = [module for module in self._network.modules() if isinstance(module, Dropout)]
        self._context = Context(self.random_bytes)
        self._operation = self._context.lower(self._network)

    def _as_it_is(self, inputs: Any) -> Tensor:
        """Call the network itself, its dropout layers drawing from the stream meanwhile."""
        before = [layer.random_bytes for layer in self._dropouts]
        for layer in self._dropouts:
            layer.random_bytes = self.random_bytes
        try:
            output: Tensor = self._network(inputs)
        finally:
            for layer, source in zip(self._dropouts, before, strict=True):
                layer.random_bytes = source
        return output


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
            "forward" in module.__dict__,
            has_forward_hooks(module),
            has_other_hooks(module),
        )

    def holds(self) -> bool:
        attributes = self.module.__dict__
        return (
            type(self.module) is self.kind
            and tuple(attributes["_modules"].values()) == self.children
            and ("forward" in attributes) is self.has_own_forward
            and has_forward_hooks(self.module) is self.has_forward_hooks
            and has_other_hooks(self.module) is self.has_other_hooks
        )


def _is_hooked(layer: nn.Module) -> bool:
    return has_forward_hooks(layer) or has_other_hooks(layer)
