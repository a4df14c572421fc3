"""The common base of all settings: frozen, and unknown keys refused."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Frozen settings. An unknown key is an error; a changed copy is validated again in full.

    Use ``rankelastor.recipes.load.with_overrides`` for a changed copy: it validates, ``model_copy`` does not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)
    also_known: ClassVar[tuple[str, ...]] = ()
    """Keys that are moved to another place before they are checked."""


def one_of(classes: Iterable[type[Settings]]) -> Any:
    """Make the type of a setting that holds settings of one of these classes; their ``kind`` tells them apart."""
    union: Any = reduce(or_, classes)
    return Annotated[union, Field(discriminator="kind")]
