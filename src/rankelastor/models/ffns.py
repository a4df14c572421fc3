"""The per-token FFNs of a mixer, by ``kind``: one line each."""

from typing import TYPE_CHECKING

from rankelastor.models.layer_choice import LayerChoice
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.nn.ffn.glu import PerTokenGlu
from rankelastor.nn.ffn.mlp import PerTokenMlp

FFNS = LayerChoice(
    {
        "mlp": PerTokenMlp,
        "glu": PerTokenGlu,
    },
    given=["num_tokens", "token_dim"],
)

if TYPE_CHECKING:
    FfnSettings = LayerSettings
else:
    FfnSettings = FFNS.annotation
