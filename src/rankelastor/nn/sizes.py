"""Ranges of the arguments that layers take, and the error for sizes that do not fit each other.

The ranges stand in the signatures of the layers. A layer does not check them itself: whoever reads arguments from
settings does.
"""

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Gt, Lt, MinLen

PositiveInt = Annotated[int, Gt(0)]
PositiveFloat = Annotated[float, Gt(0)]
DropoutRate = Annotated[float, Ge(0), Lt(1)]
HiddenDims = Annotated[Sequence[PositiveInt], MinLen(1)]
"""Hidden widths, at least one."""


class SizesDoNotFit(ValueError):  # noqa: N818 - it says what is wrong
    """Sizes that are each allowed, but not together: one must divide another, or two must be equal."""
