"""Watch activations at named points without changing the model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

ModuleType = TypeVar("ModuleType", bound=nn.Module)
Watcher = Callable[[str, Tensor], None]


@contextmanager
def watching(points: Mapping[str, nn.Module], watcher: Watcher) -> Iterator[None]:
    """Call ``watcher(name, output)`` whenever a point's module has computed its output.

    Args:
        points: names and the modules whose outputs they mean, as ``Backbone.points`` gives them.
        watcher: sees each output; it must not change it.

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


def is_watched(*modules: nn.Module) -> bool:
    """Whether anyone looks inside these modules, by hooks or as a compiler, so that each must be called for itself."""
    # PyTorch has no public way to ask; its own call does the same to decide whether it can skip the hooks.
    # This is asked several times a layer, so each kind of hook is written out.
    return torch.compiler.is_compiling() or any(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks  # noqa: SLF001
        for module in modules
    )


def unwatched_copy(module: ModuleType) -> ModuleType:
    """A copy whose calls nobody hears of."""
    copied = copy.deepcopy(module)
    for part in copied.modules():
        part._forward_hooks.clear()  # noqa: SLF001 - see is_watched
    return copied


def _hook(name: str, watcher: Watcher) -> Callable[[nn.Module, tuple[object, ...], Tensor], None]:
    def hook(_module: nn.Module, _inputs: tuple[object, ...], output: Tensor) -> None:
        watcher(name, output)

    return hook
