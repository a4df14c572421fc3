"""Ranges of the arguments of layers, and the error for sizes that do not fit each other.

The ranges are annotations in the signatures of the layers. A layer does not check them itself; settings made from the
signature do (models/layer_settings.py).
"""

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Gt, Lt, MinLen

PositiveInt = Annotated[int, Gt(0)]
PositiveFloat = Annotated[float, Gt(0)]
DropoutRate = Annotated[float, Ge(0), Lt(1)]
HiddenDims = Annotated[Sequence[PositiveInt], MinLen(1)]
"""Hidden widths, at least one."""


class SizesDoNotFit(ValueError):  # noqa: N818 - the name says what is wrong
    """Sizes that are each allowed but do not fit together: one must divide another, or two must be equal."""
