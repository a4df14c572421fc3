"""When one operation may stand for several modules, and how it is called."""

from typing import Any

import torch
from torch import Tensor, nn

from rankelastor.nn.observation import is_watched

CHEAP_TO_REPEAT = 64
"""Width of what comes in up to which kernels compute hidden numbers again sooner than write and read them."""


def can_fuse(x: Tensor, *modules: nn.Module) -> bool:
    """Whether one operation may stand for the modules: on the CPU, in the weights' precision, with nobody watching.

    The first module has a ``weight``, be it None; ``x`` is what comes in.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> can_fuse(torch.zeros(1, 2), layer), can_fuse(torch.zeros(1, 2, dtype=torch.float64), layer)
        (True, False)
    """
    return (
        not is_watched(*modules)
        and x.device.type == "cpu"
        and x.numel() > 0
        and isinstance(modules[0].weight, Tensor)
        and x.dtype == modules[0].weight.dtype
        and not torch.is_autocast_enabled("cpu")
    )


def applied(operation: type[torch.autograd.Function], *arguments: Any) -> Tensor:
    """What the operation puts out, without the cost of a graph where nobody wants its gradient.

    ``any(ctx.needs_input_grad)`` tells the operation whether to keep anything for its backward pass.
    """
    if torch.is_grad_enabled():
        return operation.apply(*arguments)  # type: ignore[no-any-return]
    return operation.forward(_NoGraph(), *arguments)  # type: ignore[no-any-return]


class _NoGraph:
    """Takes what an operation leaves for its backward pass, and forgets it."""

    needs_input_grad = ()

    def save_for_backward(self, *_: Tensor | None) -> None:
        pass
