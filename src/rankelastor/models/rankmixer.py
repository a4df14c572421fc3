"""RankMixer: split mixing and per-token MLPs.

Source: arXiv 2507.15551.
"""

from typing import Annotated, Literal

from pydantic import Field

from rankelastor.models.mixer import MixerSettings
from rankelastor.models.mixings import MIXINGS, MixingSettings


class RankMixerSettings(MixerSettings):
    """RankMixer: split mixing by default; its per-token FFNs are `kind: mlp`."""

    kind: Literal["rankmixer"]
    mixing: Annotated[MixingSettings, Field(description="mixing of every block")] = MIXINGS.settings("split")
