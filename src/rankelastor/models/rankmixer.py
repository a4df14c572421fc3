"""RankMixer: split mixing and per-token MLPs.

Source: arXiv 2507.15551.
"""

from typing import Literal

from pydantic import Field

from rankelastor.models.mixer import MIXING_MEANING, MixerSettings
from rankelastor.models.mixings import MIXINGS, MixingSettings


class RankMixerSettings(MixerSettings):
    """RankMixer: split mixing by default; its per-token FFNs are `kind: mlp`."""

    kind: Literal["rankmixer"]
    mixing: MixingSettings = Field(MIXINGS.settings("split"), description=MIXING_MEANING)
