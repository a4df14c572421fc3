"""The heads of a mixer, by ``kind``: one line each."""

from typing import TYPE_CHECKING

from rankelastor.models.layer_choice import LayerChoice
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.nn.head import LinearHead, MeanHead, MlpHead

HEADS = LayerChoice(
    {
        "mlp": MlpHead,
        "linear": LinearHead,
        "mean": MeanHead,
    },
    given=["num_tokens", "token_dim", "num_tasks"],
)

if TYPE_CHECKING:
    HeadSettings = LayerSettings
else:
    HeadSettings = HEADS.annotation
