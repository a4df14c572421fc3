"""Modes that count FLOPs, and that set no initial values, without importing PyTorch's compiler.

PyTorch's ``FlopCounterMode``, and operations on the meta device, import ``torch._dynamo``. That takes longer than all
else that a short training does before its first step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

_FILLS = frozenset(
    {
        "normal_",
        "uniform_",
        "xavier_normal_",
        "xavier_uniform_",
        "kaiming_normal_",
        "kaiming_uniform_",
        "zero_",
        "zeros_",
    }
)


class WithoutInitialValues(TorchFunctionMode):
    """Mode in which no initial values are set: a tensor that would be filled is left as it is.

    Example:
        >>> with WithoutInitialValues():
        ...     torch.zeros(2).normal_().tolist()
        [0.0, 0.0]
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call ``func``, or return its tensor if it would be filled."""
        del types
        keywords = dict(kwargs or {})
        if getattr(func, "__name__", "") in _FILLS:
            return args[0] if args else keywords["tensor"]
        return func(*args, **keywords)


class CountedFlops(TorchDispatchMode):
    """Mode that counts the FLOPs of matrix products, convolutions and attention, as PyTorch's ``FlopCounterMode`` does.

    ``total`` is the number so far; a multiply-add counts as 2.

    Example:
        >>> with CountedFlops() as counted:
        ...     _ = torch.ones(2, 3) @ torch.ones(3, 4)
        >>> counted.total
        48
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep PyTorch from wrapping ``__torch_dispatch__`` in a call to its compiler."""
        return False

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Compute an operation and add its FLOPs; an operation that is composed of others is counted by these."""
        del types
        keywords = dict(kwargs or {})
        count = flop_registry.get(func._overloadpacket)  # noqa: SLF001 - the registry's keys
        if count is None:
            with self:
                composed = func.decompose(*args, **keywords)
            return func(*args, **keywords) if composed is NotImplemented else composed
        result = func(*args, **keywords)
        self.total += count(*args, **keywords, out_val=result)
        return result
