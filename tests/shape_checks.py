"""The type checker that tests run with: it checks the annotations that tell shapes, and no others.

Other annotations are mypy's business, and not all of them can be checked at run time (``Self``, protocols, names that
are imported for mypy alone). pyproject.toml names ``shape_checked`` in ``--jaxtyping-packages``, whose import hook puts
``jaxtyping.jaxtyped`` around every function. Calls through that take 20 microseconds each, which made tests half again
as long: from when this module is imported on, functions without shapes are left as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isclass, isfunction
from typing import Any, TypeVar, get_args

import jaxtyping
from beartype import beartype
from jaxtyping import AbstractArray

Function = TypeVar("Function", bound=Callable[..., Any])
_around_every_function = jaxtyping.jaxtyped


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
        >>> tells_a_shape(Callable[[Float[Tensor, " batch"]], int])
        True
    """
    if isclass(hint) and issubclass(hint, AbstractArray):
        return True
    parts = hint if isinstance(hint, list) else get_args(hint)  # a list holds the arguments of a Callable
    return any(tells_a_shape(part) for part in parts)


def _around_functions_with_shapes(*, typechecker: Any) -> Callable[[Any], Any]:
    around = _around_every_function(typechecker=typechecker)
    return lambda decorated: around(decorated) if _may_tell_a_shape(decorated) else decorated


def _may_tell_a_shape(decorated: object) -> bool:
    if not isfunction(decorated):
        return True  # dataclasses, properties: jaxtyping knows what to do
    return any(tells_a_shape(_read(hint, decorated.__globals__)) for hint in decorated.__annotations__.values())


def _read(hint: object, names: dict[str, Any]) -> object:
    if not isinstance(hint, str):
        return hint
    try:
        return eval(hint, dict(names))
    except (NameError, AttributeError, TypeError):
        return None  # a name for mypy alone, or of a class that stands below


jaxtyping.jaxtyped = _around_functions_with_shapes  # type: ignore[assignment]
