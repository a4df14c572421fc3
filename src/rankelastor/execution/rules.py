"""Rules that say which operation may stand for a layer, by its exact type, and how they are applied to a network."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeGuard, TypeVar

from torch import Tensor, nn

from rankelastor.execution.hooks import (
    FORWARD_HOOKS,
    call_with_forward_hooks,
    has_forward_hooks,
    has_other_hooks,
    has_own_forward,
)
from rankelastor.native.library import kernels
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.random_bytes import RandomBytes

ModuleType = TypeVar("ModuleType", bound=nn.Module)
Operation = Callable[[Any], Tensor]
"""Computes what a layer computes, or several layers in a row."""


Rule = Callable[[Any, "Context"], Operation | None]
"""Gives the operation for a layer of one type; None leaves the layer as it is."""
RuleType = TypeVar("RuleType", bound=Rule)


@dataclass(frozen=True)
class _Registered:
    rule: Rule
    needs_kernels: bool


_RULES: dict[type[nn.Module], _Registered] = {}


def lowers(*kinds: type[nn.Module], needs_kernels: bool = True) -> Callable[[RuleType], RuleType]:
    """Register the decorated rule for layers of exactly these types.

    Args:
        kinds: the types.
        needs_kernels: whether the rule is left out where the kernels cannot be built.
    """

    def register(rule: RuleType) -> RuleType:
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

    def is_plain(self, layer: nn.Module, kind: type[ModuleType]) -> TypeGuard[ModuleType]:
        """Tell whether an operation may stand for ``layer``: exactly of this type, no hooks, no forward of its own."""
        hooked = has_forward_hooks(layer) or has_other_hooks(layer)
        return type(layer) is kind and not has_own_forward(layer) and not hooked

    def lower(self, layer: nn.Module) -> Operation:
        """Lower a layer: an operation, a shadow with lowered children, or the layer itself where nothing applies.

        A layer that several parents share is lowered once.
        """
        if layer not in self._lowered:
            self._lowered[layer] = self._lower(layer)
        return self._lowered[layer]

    def take_attributes(self) -> None:
        """Give every shadow the plain attributes of its source again, ``training`` among them."""
        for shadow in self._shadows:
            shadow.take_attributes()

    def _lower(self, layer: nn.Module) -> Operation:
        if has_other_hooks(layer) or has_own_forward(layer):
            return as_it_is(layer, self.random_bytes)
        operation = self._operation(layer)
        if operation is None:
            operation = self._shadow(layer)
            is_container = isinstance(layer, nn.ModuleList | nn.ModuleDict)  # is read and never called
            if operation is layer or is_container or not has_forward_hooks(layer):
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


class _AsItIs:
    """A layer called as it is, with all that lies below it; its dropout layers draw from a stream meanwhile.

    It sets their ``random_bytes``, which all threads share: call networks with such layers from one thread at a time.
    """

    def __init__(self, source: nn.Module, dropouts: Sequence[Dropout], random_bytes: RandomBytes) -> None:
        self._source = source
        self._dropouts = dropouts
        self._random_bytes = random_bytes

    def __call__(self, *inputs: Any) -> Tensor:
        before = [layer.random_bytes for layer in self._dropouts]
        for layer in self._dropouts:
            layer.random_bytes = self._random_bytes
        try:
            output: Tensor = self._source(*inputs)
        finally:
            for layer, source in zip(self._dropouts, before, strict=True):
                layer.random_bytes = source
        return output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


def as_it_is(layer: nn.Module, random_bytes: RandomBytes) -> Operation:
    """Call a layer as it is, its dropout layers drawing from ``random_bytes``."""
    dropouts = [module for module in layer.modules() if isinstance(module, Dropout)]
    return _AsItIs(layer, dropouts, random_bytes) if dropouts else layer
