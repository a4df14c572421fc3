"""The type checker that tests run with: it checks the annotations that tell shapes, and no others.

Other annotations are mypy's business, and not all of them can be checked at run time (``Self``, protocols, names that
are imported for mypy alone). pyproject.toml names ``shape_checked`` in ``--jaxtyping-packages``.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isclass
from typing import Any, TypeVar, get_args

from beartype import beartype
from jaxtyping import AbstractArray

Function = TypeVar("Function", bound=Callable[..., Any])


def shape_checked(function: Function) -> Function:
    """Check the arguments and results of ``function`` whose annotations tell a shape."""
    hints = {name: hint for name, hint in function.__annotations__.items() if tells_a_shape(hint)}
    function.__annotations__ = hints
    return beartype(function) if hints else function


def tells_a_shape(hint: object) -> bool:
    """Tell whether an annotation holds an array type of jaxtyping.

    Example:
        >>> from jaxtyping import Float
        >>> from torch import Tensor
        >>> tells_a_shape(Float[Tensor, " batch"] | None), tells_a_shape(list[int])
        (True, False)
    """
    if isclass(hint) and issubclass(hint, AbstractArray):
        return True
    return any(tells_a_shape(part) for part in get_args(hint))
