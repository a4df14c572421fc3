"""RankElastor: full mixing and GLU-improved per-token FFNs.

Source: arXiv 2605.23191 and the code published with it.
"""

from typing import Literal

from pydantic import Field

from rankelastor.models.mixer import MIXING_MEANING, MixerSettings
from rankelastor.models.mixings import MIXINGS, MixingSettings


class RankElastorSettings(MixerSettings):
    """RankElastor: full mixing by default; its per-token FFNs are `kind: glu`."""

    kind: Literal["rankelastor"]
    mixing: MixingSettings = Field(MIXINGS.settings("full"), description=MIXING_MEANING)
