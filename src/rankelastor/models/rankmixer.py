"""RankMixer: split mixing and per-token MLPs.

Source: arXiv 2507.15551.
"""

from typing import Literal

from rankelastor.models.mixer import MixerSettings
from rankelastor.models.mixings import MIXINGS, MixingSettings


class RankMixerSettings(MixerSettings):
    """RankMixer: split mixing unless said otherwise; its per-token FFNs are `kind: mlp`."""

    kind: Literal["rankmixer"]
    mixing: MixingSettings = MIXINGS.settings("split")
