"""Hooks on modules: register them at named points, and tell which modules have any."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

ModuleType = TypeVar("ModuleType", bound=nn.Module)
OutputCallback = Callable[[str, Tensor], None]

# PyTorch has no public way to ask for hooks; its own __call__ checks the same dictionaries.
FORWARD_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_OTHERS = (
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_always_called",
)


@contextmanager
def observe_outputs(points: Mapping[str, nn.Module], callback: OutputCallback) -> Iterator[None]:
    """Call ``callback(name, output)`` after each forward call of a named module, within the context.

    Args:
        points: modules by name, such as ``Ranker.points``.
        callback: receives the name and the output, which it must not change.

    Example:
        >>> import torch
        >>> layer, seen = nn.Linear(2, 3), {}
        >>> with observe_outputs({"hidden": layer}, seen.__setitem__):
        ...     _ = layer(torch.zeros(1, 2))
        >>> seen["hidden"].shape
        torch.Size([1, 3])
    """
    handles = [module.register_forward_hook(_hook(name, callback)) for name, module in points.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def has_hooks(*modules: nn.Module) -> bool:
    """Tell whether any of these modules has hooks, or hooks are registered for all modules of the process.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> handle = layer.register_forward_hook(print)
        >>> has_hooks(layer), handle.remove(), has_hooks(layer)
        (True, None, False)
    """
    return has_global_hooks() or any(has_forward_hooks(module) or has_other_hooks(module) for module in modules)


def has_global_hooks() -> bool:
    """Tell whether hooks are registered for all modules of the process."""
    return bool(torch_module._has_any_global_hook())  # noqa: SLF001


def has_forward_hooks(module: nn.Module) -> bool:
    """Tell whether the module has forward or forward-pre hooks of the plain form hook(module, inputs[, output])."""
    attributes = module.__dict__
    return bool(attributes["_forward_hooks"] or attributes["_forward_pre_hooks"])


def has_other_hooks(module: nn.Module) -> bool:
    """Tell whether the module has backward hooks, or forward hooks with keyword arguments or that are always called."""
    attributes = module.__dict__
    return bool(
        attributes["_backward_hooks"]
        or attributes["_backward_pre_hooks"]
        or attributes["_forward_hooks_with_kwargs"]
        or attributes["_forward_pre_hooks_with_kwargs"]
        or attributes["_forward_hooks_always_called"]
    )


def has_gradient_hooks(tensor: Tensor) -> bool:
    """Tell whether hooks receive the gradient of this tensor.

    Example:
        >>> weight = torch.ones(1, requires_grad=True)
        >>> handle = weight.register_hook(print)
        >>> has_gradient_hooks(weight)
        True
    """
    return bool(tensor._backward_hooks)  # noqa: SLF001


def has_own_forward(module: nn.Module) -> bool:
    """Tell whether this instance has a ``forward`` of its own that replaces the one of its class."""
    return "forward" in module.__dict__


def must_run_in_order(*modules: nn.Module) -> bool:
    """Tell whether slices must be computed one after the other: a module has hooks or a forward of its own.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> must_run_in_order(layer)
        False
        >>> layer.forward = torch.relu
        >>> must_run_in_order(layer)
        True
    """
    return has_hooks(*modules) or any(map(has_own_forward, modules))


def copy_without_hooks(module: ModuleType) -> ModuleType:
    """Copy a module and its parameters, without its hooks."""
    copied = copy.deepcopy(module)
    for part in copied.modules():
        for kind in (*FORWARD_HOOKS, *_OTHERS):
            getattr(part, kind).clear()
    return copied


def call_with_forward_hooks(source: nn.Module, compute: Callable[..., Tensor], *inputs: Any, **keywords: Any) -> Tensor:
    """Compute ``compute(*inputs, **keywords)`` in place of ``source``, with the forward hooks of ``source``.

    As in PyTorch, a pre-hook may return other inputs and a hook another output; both see positional inputs only.
    """
    for before in list(source._forward_pre_hooks.values()):  # noqa: SLF001
        given = before(source, inputs)
        if given is not None:
            inputs = given if isinstance(given, tuple) else (given,)
    output = compute(*inputs, **keywords)
    for after in list(source._forward_hooks.values()):  # noqa: SLF001
        given = after(source, inputs, output)
        output = output if given is None else given
    return output


def is_compiling() -> bool:
    """Tell whether ``torch.compile`` or ``torch.export`` is tracing."""
    return torch.compiler.is_compiling()


def _hook(name: str, callback: OutputCallback) -> Callable[[nn.Module, tuple[object, ...], Tensor], None]:
    def hook(_module: nn.Module, _inputs: tuple[object, ...], output: Tensor) -> None:
        callback(name, output)

    return hook
