"""Hooks on modules: register them at named points, and tell where there are any."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

ModuleType = TypeVar("ModuleType", bound=nn.Module)
Watcher = Callable[[str, Tensor], None]

# PyTorch has no public way to ask for hooks; its own call reads the same dictionaries to decide whether to skip them.
FORWARD_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_OTHERS = (
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_always_called",
)


@contextmanager
def watching(points: Mapping[str, nn.Module], watcher: Watcher) -> Iterator[None]:
    """Call ``watcher(name, output)`` whenever a point's module has computed its output.

    Args:
        points: names and modules, as ``Ranker.points`` gives them.
        watcher: gets each output; it must not change it.

    Example:
        >>> import torch
        >>> layer, seen = nn.Linear(2, 3), {}
        >>> with watching({"hidden": layer}, seen.__setitem__):
        ...     _ = layer(torch.zeros(1, 2))
        >>> seen["hidden"].shape
        torch.Size([1, 3])
    """
    handles = [module.register_forward_hook(_hook(name, watcher)) for name, module in points.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def has_hooks(*modules: nn.Module) -> bool:
    """Tell whether any of these modules has hooks, or every module has through a global hook.

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


def has_own_forward(module: nn.Module) -> bool:
    """Tell whether this instance was given a ``forward`` of its own, in the place of its class's."""
    return "forward" in module.__dict__


def copy_without_hooks(module: ModuleType) -> ModuleType:
    """Copy a module and its parameters, and leave all hooks behind."""
    copied = copy.deepcopy(module)
    for part in copied.modules():
        for kind in (*FORWARD_HOOKS, *_OTHERS):
            getattr(part, kind).clear()
    return copied


def call_with_forward_hooks(source: nn.Module, compute: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Compute ``compute(*inputs)`` in the place of ``source``, with the forward hooks of ``source``.

    As PyTorch does: a pre-hook may give other inputs, a hook another output.
    """
    for before in list(source._forward_pre_hooks.values()):  # noqa: SLF001
        given = before(source, inputs)
        if given is not None:
            inputs = given if isinstance(given, tuple) else (given,)
    output = compute(*inputs)
    for after in list(source._forward_hooks.values()):  # noqa: SLF001
        given = after(source, inputs, output)
        output = output if given is None else given
    return output


def is_compiling() -> bool:
    """Tell whether ``torch.compile`` or ``torch.export`` is tracing."""
    return torch.compiler.is_compiling()


def _hook(name: str, watcher: Watcher) -> Callable[[nn.Module, tuple[object, ...], Tensor], None]:
    def hook(_module: nn.Module, _inputs: tuple[object, ...], output: Tensor) -> None:
        watcher(name, output)

    return hook
