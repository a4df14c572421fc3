"""What operations on a model rely on and no value of a tensor holds: modules, attributes, and where parameters lie."""

from __future__ import annotations

import copy
from operator import itemgetter
from typing import Any

from torch import nn

from rankelastor.execution.hooks import has_gradient_hooks

_OF_EVERY_MODULE = frozenset(vars(nn.Module())) - {"training"}


class ModelState:
    """The modules of a model, their attributes and the places of their parameters and buffers, as they are now.

    The values of parameters and buffers do not belong to it, nor do the hooks of modules (``must_run_in_order``).

    Example:
        >>> layer = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.1))
        >>> state = ModelState(layer)
        >>> layer[0].weight.data.zero_()[0].tolist(), state.holds()
        ([0.0, 0.0], True)
        >>> layer[1].p = 0.2
        >>> state.holds()
        False
    """

    def __init__(self, model: nn.Module) -> None:
        modules = [vars(module) for module in model.modules()]
        own_names = [[name for name in attributes if name not in _OF_EVERY_MODULE] for attributes in modules]
        self._attributes = [(values, itemgetter(*names)) for values, names in zip(modules, own_names, strict=True)]
        self._children = [attributes["_modules"] for attributes in modules]
        tensors = [attributes[kind] for attributes in modules for kind in ("_parameters", "_buffers")]
        self._tensors = [each for each in tensors if each]
        self._attributes_then = [_with_copies(values) for values in self._attributes_now()]
        self._rest_then = self._rest_now()

    @property
    def has_gradient_hooks(self) -> bool:
        """Whether a parameter has hooks on its gradient."""
        each = [tensor for tensors in self._tensors for tensor in tensors.values() if tensor is not None]
        return any(map(has_gradient_hooks, each))

    def holds(self) -> bool:
        """Tell whether all of it is still so; called once per slice, and therefore cheap."""
        try:
            return self._rest_now() == self._rest_then and self._attributes_now() == self._attributes_then
        except (KeyError, RuntimeError, ValueError):  # an attribute is gone, or arrays of several values are compared
            return False

    def _attributes_now(self) -> list[Any]:
        return [(len(values), own(values)) for values, own in self._attributes]

    def _rest_now(self) -> list[Any]:
        return [
            *[(*children.values(),) for children in self._children],
            *[
                each if each is None else (each.data_ptr(), each.shape, each.requires_grad, has_gradient_hooks(each))
                for tensors in self._tensors
                for each in tensors.values()
            ],
        ]


def _with_copies(attributes: tuple[int, Any]) -> tuple[int, Any]:
    """Copy containers, which may be changed in place."""
    number, values = attributes
    if not isinstance(values, tuple):
        return attributes
    return number, tuple(copy.copy(each) if isinstance(each, list | dict | set) else each for each in values)
