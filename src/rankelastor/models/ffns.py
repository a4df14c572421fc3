"""The per-token FFNs that a mixer can have, by ``kind``, one line each."""

from typing import TYPE_CHECKING

from rankelastor.models.layer_choice import LayerChoice
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.nn.ffn.glu import PerTokenGlu
from rankelastor.nn.ffn.hyper_connections import HyperConnectedGlu
from rankelastor.nn.ffn.mlp import PerTokenMlp

FFNS = LayerChoice(
    {
        "mlp": PerTokenMlp,
        "glu": PerTokenGlu,
        "hyper_glu": HyperConnectedGlu,
    },
    given=["num_tokens", "token_dim"],
)

if TYPE_CHECKING:
    FfnSettings = LayerSettings
else:
    FfnSettings = FFNS.annotation
