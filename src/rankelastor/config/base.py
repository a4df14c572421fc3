"""The common base of all settings: frozen, and unknown keys refused."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen settings. An unknown key is an error; a changed copy is validated again in full.

    Use ``rankelastor.recipes.load.with_overrides`` for a changed copy: it validates, ``model_copy`` does not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)
    also_known: ClassVar[tuple[str, ...]] = ()
    """Keys that are moved to another place before they are checked."""
