"""RankElastor: full mixing and GLU-improved per-token FFNs.

Source: arXiv 2605.23191 and the code published with it.
"""

from typing import Literal

from rankelastor.models.mixer import MixerSettings
from rankelastor.models.mixings import MIXINGS, MixingSettings


class RankElastorSettings(MixerSettings):
    """RankElastor: full mixing unless said otherwise; its per-token FFNs are `kind: glu`."""

    kind: Literal["rankelastor"]
    mixing: MixingSettings = MIXINGS.settings("full")
