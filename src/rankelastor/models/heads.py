"""The heads that a mixer can have, by ``kind``, one line each."""

from typing import TYPE_CHECKING

from rankelastor.models.layer_choice import LayerChoice, Variant
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.nn.head import LinearHead, MeanHead, MlpHead, PooledHead
from rankelastor.nn.projection import Projection

HEADS = LayerChoice(
    {
        "mlp": MlpHead,
        "linear": LinearHead,
        "mean": MeanHead,
        "pooled": Variant(
            PooledHead, inlined={"projection": Variant(Projection, given=["in_dim", "out_dim", "batch_norm"])}
        ),
    },
    given=["num_tokens", "token_dim", "num_tasks"],
)

if TYPE_CHECKING:
    HeadSettings = LayerSettings
else:
    HeadSettings = HEADS.annotation
