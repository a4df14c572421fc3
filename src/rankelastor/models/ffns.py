"""The per-token FFNs that a mixer can have, by ``kind``, one line each."""

from typing import TYPE_CHECKING

from rankelastor.models.layer_choice import LayerChoice
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.nn.ffn.glu import PerTokenGlu
from rankelastor.nn.ffn.hyper_connections import HyperConnectedGlu
from rankelastor.nn.ffn.mlp import PerTokenMlp
from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu
from rankelastor.nn.ffn.top_k_experts import TopKExperts

FFNS = LayerChoice(
    {
        "mlp": PerTokenMlp,
        "glu": PerTokenGlu,
        "hyper_glu": HyperConnectedGlu,
        "swiglu": PerTokenSwiGlu,
        "top_k_experts": TopKExperts,
    },
    given=["num_tokens", "token_dim"],
)

if TYPE_CHECKING:
    FfnSettings = LayerSettings
else:
    FfnSettings = FFNS.annotation
