"""Rules that choose an operation for a layer by its exact type, and the context that applies them to a network."""

from __future__ import annotations

import copy
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.util import find_spec
from inspect import signature
from typing import Any, Literal, TypeGuard, TypeVar

import torch
from torch import Tensor, nn

from rankelastor.execution.hooks import (
    FORWARD_HOOKS,
    call_with_forward_hooks,
    has_forward_hooks,
    has_other_hooks,
    has_own_forward,
)
from rankelastor.native.library import SWITCH, kernels
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.random_bytes import RandomBytes

ModuleType = TypeVar("ModuleType", bound=nn.Module)
Operation = Callable[..., Any]
"""Function with the result of one layer, or of several consecutive layers."""


Rule = Callable[[Any, "Context"], Operation | None]
"""Function that returns the operation for a layer of one type; None keeps the layer."""
RuleType = TypeVar("RuleType", bound=Rule)


DeviceName = Literal["cpu", "cuda"]
"""Kind of device that a network is lowered for."""


def device_name(device: torch.device) -> DeviceName:
    """Name the rules for a device; those of the CPU compute plain layers wherever their input does not lie on the CPU.

    Example:
        >>> device_name(torch.device("cuda", 0)), device_name(torch.device("meta"))
        ('cuda', 'cpu')
    """
    return "cuda" if device.type == "cuda" else "cpu"


@dataclass(frozen=True)
class _Registered:
    rule: Rule
    needs_kernels: bool
    forward: Callable[..., Any]


_RULES: dict[tuple[DeviceName, type[nn.Module]], _Registered] = {}


def lowers(
    *kinds: type[nn.Module], device: DeviceName = "cpu", needs_kernels: bool = True
) -> Callable[[RuleType], RuleType]:
    """Register the decorated rule for layers of exactly these types.

    Args:
        kinds: the types of layers.
        device: the kind of device that the rule is for.
        needs_kernels: whether to skip the rule where there are no kernels for the device, see ``has_kernels_for``.
    """

    def register(rule: RuleType) -> RuleType:
        for kind in kinds:
            assert (device, kind) not in _RULES, f"{kind.__name__} already has a rule"
            _RULES[device, kind] = _Registered(rule, needs_kernels, kind.forward)
        return rule

    return register


def lowered_types(device: DeviceName = "cpu") -> tuple[type[nn.Module], ...]:
    """List the types of layers that have a rule for this kind of device."""
    return tuple(kind for name, kind in _RULES if name == device)


def has_kernels_for(device: DeviceName) -> bool:
    """Tell whether kernels are there and switched on: for the CPU those that were built, for CUDA those in Triton."""
    if device == "cpu":
        return kernels() is not None
    return find_spec("triton") is not None and os.environ.get(SWITCH) != "off"


@dataclass
class Context:
    """State shared by the rules while a network is lowered.

    Attributes:
        random_bytes: the stream that dropout masks of this lowering are drawn from.
        device: the kind of device that the network is lowered for.
        num_operations: number of layers replaced by an operation so far.
        num_kernels: number of those whose operation needs kernels.
    """

    random_bytes: RandomBytes
    device: DeviceName = "cpu"
    num_operations: int = 0
    num_kernels: int = 0
    _lowered: dict[nn.Module, Operation] = field(default_factory=dict)
    _shadows: list[_Shadow] = field(default_factory=list)

    def is_plain(self, layer: nn.Module, kind: type[ModuleType]) -> TypeGuard[ModuleType]:
        """Tell whether an operation may replace ``layer``: exactly this type, no hooks, no forward of its own."""
        hooked = has_forward_hooks(layer) or has_other_hooks(layer)
        return type(layer) is kind and not hooked and not has_own_forward(layer) and not self._is_patched(layer)

    def lower(self, layer: nn.Module) -> Operation:
        """Lower a layer to an operation or a shadow with lowered children; return the layer itself if neither applies.

        A layer that several parents share is lowered once.
        """
        if layer not in self._lowered:
            self._lowered[layer] = self._lower(layer)
        return self._lowered[layer]

    def take_attributes(self) -> None:
        """Copy the plain attributes of each source, ``training`` among them, to its shadow."""
        for shadow in self._shadows:
            shadow.take_attributes()

    def _lower(self, layer: nn.Module) -> Operation:
        if has_other_hooks(layer) or has_own_forward(layer):
            return wrap_unlowered(layer, self.random_bytes)
        operation = self._operation(layer)
        if operation is None:
            operation = self.shadow(layer)
            is_container = isinstance(layer, nn.ModuleList | nn.ModuleDict)  # a container is iterated, never called
            if operation is layer or is_container or not has_forward_hooks(layer):
                return operation
        return _LoweredLayer(layer, operation)

    def _operation(self, layer: nn.Module) -> Operation | None:
        registered = _RULES.get((self.device, type(layer)))
        if (
            registered is None
            or (registered.needs_kernels and not has_kernels_for(self.device))
            or self._is_patched(layer)
        ):
            return None
        operation = registered.rule(layer, self)
        if operation is not None:
            self.num_operations += 1
            self.num_kernels += registered.needs_kernels
        return operation

    def _is_patched(self, layer: nn.Module) -> bool:
        """Tell whether the class of the layer was given another ``forward`` after its rule was registered."""
        registered = _RULES.get((self.device, type(layer)))
        return registered is not None and type(layer).forward is not registered.forward

    def shadow(self, layer: nn.Module) -> Operation:
        """Make a copy of a layer with lowered children and its own forward; the layer itself if no child is lowered."""
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
    """A copy of a layer that shares its parameters and buffers, has lowered children, and has no hooks.

    Attributes that the forward sets on the copy are set on the layer, too.
    """

    def __init__(self, source: nn.Module, own: dict[str, Any]) -> None:
        self._source = source
        self._own = own
        self.copy = copy.copy(source)
        self.copy.__class__ = _writing_through(type(source))  # type: ignore[arg-type]
        self.take_attributes()

    def take_attributes(self) -> None:
        self.copy.__dict__.update(self._source.__dict__)
        self.copy.__dict__.update(self._own, _source=self._source)


@cache
def _writing_through(kind: type[nn.Module]) -> type[nn.Module]:
    """Make the class of the shadows of one type: the same, except that attributes are set on the source, too."""

    def set_attribute(self: nn.Module, name: str, value: Any) -> None:
        setattr(self.__dict__["_source"], name, value)
        kind.__setattr__(self, name, value)

    return type(kind.__name__, (kind,), {"__setattr__": set_attribute, "__module__": kind.__module__})


class _InPlaceOfLayer:
    """A callable in place of a layer, with the layer's attributes."""

    def __init__(self, source: nn.Module) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_source" not in self.__dict__:  # while it is copied or unpickled
            raise AttributeError(name)
        return getattr(self._source, name)


class _LoweredLayer(_InPlaceOfLayer):
    """An operation in place of a layer; it calls the layer's forward hooks."""

    def __init__(self, source: nn.Module, operation: Operation) -> None:
        super().__init__(source)
        self._operation = operation
        self._compute = partial(call_with_forward_hooks, source, operation) if has_forward_hooks(source) else operation

    def __call__(self, *inputs: Any, **keywords: Any) -> Tensor:
        if keywords and not isinstance(self._operation, nn.Module):  # operations take the inputs in their order
            inputs, keywords = signature(self._source.forward).bind(*inputs, **keywords).args, {}
        return self._compute(*inputs, **keywords)


class _UnloweredLayer(_InPlaceOfLayer):
    """A layer called without changes; during the call its dropout layers draw from the lowering's stream.

    It sets the ``random_bytes`` of the dropout layers, which all threads share: call networks with such layers from one
    thread at a time.
    """

    def __init__(self, source: nn.Module, dropouts: Sequence[Dropout], random_bytes: RandomBytes) -> None:
        super().__init__(source)
        self._dropouts = dropouts
        self._random_bytes = random_bytes

    def __call__(self, *inputs: Any, **keywords: Any) -> Tensor:
        before = [layer.random_bytes for layer in self._dropouts]
        for layer in self._dropouts:
            layer.random_bytes = self._random_bytes
        try:
            output: Tensor = self._source(*inputs, **keywords)
        finally:
            for layer, source in zip(self._dropouts, before, strict=True):
                layer.random_bytes = source
        return output


def wrap_unlowered(layer: nn.Module, random_bytes: RandomBytes) -> Operation:
    """Wrap a layer that is not lowered, so that its dropout layers draw from ``random_bytes``."""
    dropouts = [module for module in layer.modules() if isinstance(module, Dropout)]
    return _UnloweredLayer(layer, dropouts, random_bytes) if dropouts else layer
