"""The settings classes of all models, one line each."""

from typing import TYPE_CHECKING

from rankelastor.config.base import one_of
from rankelastor.models.autoint import AutoIntSettings
from rankelastor.models.dcn_v2 import DcnV2Settings
from rankelastor.models.deepfm import DeepFmSettings
from rankelastor.models.fibinet import FiBiNetSettings
from rankelastor.models.finalmlp import FinalMlpSettings
from rankelastor.models.finalnet import FinalNetSettings
from rankelastor.models.fm import FmSettings
from rankelastor.models.logistic_regression import LogisticRegressionSettings
from rankelastor.models.masknet import MaskNetSettings
from rankelastor.models.mlp import MlpSettings
from rankelastor.models.multi_embedding import MultiEmbeddingSettings
from rankelastor.models.rankelastor import RankElastorSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.models.rankmixer import RankMixerSettings
from rankelastor.models.rankmixer_paper import RankMixerPaperSettings
from rankelastor.models.rankup import RankUpSettings
from rankelastor.models.tokenmixer_large import TokenMixerLargeSettings
from rankelastor.models.unimixer import UniMixerSettings
from rankelastor.models.wukong import WukongSettings
from rankelastor.models.xdeepfm import XDeepFmSettings

MODELS = (
    RankElastorSettings,
    RankMixerSettings,
    MlpSettings,
    DcnV2Settings,
    LogisticRegressionSettings,
    FmSettings,
    DeepFmSettings,
    XDeepFmSettings,
    AutoIntSettings,
    FinalMlpSettings,
    FinalNetSettings,
    MaskNetSettings,
    FiBiNetSettings,
    MultiEmbeddingSettings,
    RankMixerPaperSettings,
    TokenMixerLargeSettings,
    UniMixerSettings,
    RankUpSettings,
    WukongSettings,
)

if TYPE_CHECKING:
    ModelSettings = RankerSettings
else:
    ModelSettings = one_of(MODELS)
