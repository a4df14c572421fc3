"""The common base of all settings: frozen, and unknown keys are errors."""

import inspect
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field


def _describe_class(schema: dict[str, Any], cls: type[BaseModel]) -> None:
    """Describe a settings class, and the ``kind`` that chooses it, by the first paragraph of its docstring."""
    if cls.__doc__:
        schema["description"] = " ".join(inspect.cleandoc(cls.__doc__).split("\n\n")[0].split()).replace("``", "`")
    kind = schema.get("properties", {}).get("kind", {})
    if "const" in kind and "description" in schema:
        kind.setdefault("description", schema["description"])


class Settings(BaseModel):
    """Frozen settings. An unknown key is an error.

    Each setting has a ``Field(description=...)`` that says what it means and in which unit, in Markdown: editors show
    it, and ``docs/settings.md`` lists it. The first paragraph of the docstring describes the settings as a whole.

    Make a changed copy with ``rankelastor.recipes.load.with_overrides``, which validates; ``model_copy`` does not.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        allow_inf_nan=False,
        json_schema_extra=_describe_class,
        defer_build=True,  # a validator is made when it is first used, and most models' never are
    )
    also_known: ClassVar[tuple[str, ...]] = ()
    """Accepted keys that are moved to another path before validation."""


def one_of(classes: Iterable[type[Settings]]) -> Any:
    """Make the type of a setting that holds settings of one of these classes; their ``kind`` tells them apart."""
    union: Any = reduce(or_, classes)
    return Annotated[union, Field(discriminator="kind")]
