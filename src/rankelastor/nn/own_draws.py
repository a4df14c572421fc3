"""Initial values from a generator of one's own, in place of PyTorch's global one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_DRAWS = frozenset(
    {
        Tensor.bernoulli_,
        Tensor.exponential_,
        Tensor.normal_,
        Tensor.random_,
        Tensor.uniform_,
        nn.init.kaiming_normal_,
        nn.init.kaiming_uniform_,
        nn.init.normal_,
        nn.init.uniform_,
        torch.bernoulli,
        torch.multinomial,
        torch.normal,
        torch.rand,
        torch.randint,
        torch.randn,
        torch.randperm,
    }
)
"""Functions that draw numbers and take a generator."""


class OwnDraws(TorchFunctionMode):
    """A context in which this thread draws all random numbers of PyTorch on the CPU from one generator.

    Other threads are not concerned, and PyTorch's global generator stays as it is. The numbers are those that the
    global generator gives after the same seed.

    Args:
        generator: the generator, of the CPU.

    Example:
        >>> with OwnDraws(torch.Generator().manual_seed(1)):
        ...     mine = nn.Linear(2, 3).weight
        >>> _ = torch.manual_seed(1)
        >>> torch.equal(mine, nn.Linear(2, 3).weight)
        True
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self._generator = generator

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of PyTorch, with the generator if it draws numbers and is given none."""
        del types
        named = dict(kwargs or {})
        if func in _DRAWS and named.get("generator") is None:
            named["generator"] = self._generator
        return func(*args, **named)
