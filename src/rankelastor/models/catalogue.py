"""The models, one line each."""

from typing import TYPE_CHECKING

from rankelastor.config.base import one_of
from rankelastor.models.dcn_v2 import DcnV2Settings
from rankelastor.models.mlp import MlpSettings
from rankelastor.models.rankelastor import RankElastorSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.models.rankmixer import RankMixerSettings

MODELS = (
    RankElastorSettings,
    RankMixerSettings,
    MlpSettings,
    DcnV2Settings,
)

if TYPE_CHECKING:
    ModelSettings = RankerSettings
else:
    ModelSettings = one_of(MODELS)
