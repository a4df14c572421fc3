"""The tokenizers that a mixer can have, by ``kind``, one line each."""

from typing import TYPE_CHECKING

from rankelastor.models.layer_choice import LayerChoice, Variant
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.nn.projection import Projection
from rankelastor.nn.tokenizer.grouped import GroupedTokenizer
from rankelastor.nn.tokenizer.joint import JointTokenizer
from rankelastor.nn.tokenizer.per_token_split import PerTokenSplitTokenizer
from rankelastor.nn.tokenizer.reshape import ReshapeTokenizer
from rankelastor.nn.tokenizer.split import SplitTokenizer

_MLP = {"projection": Variant(Projection, given=["in_dim", "out_dim", "batch_norm"])}

TOKENIZERS = LayerChoice(
    {
        "split": Variant(SplitTokenizer, inlined=_MLP),
        "joint": Variant(JointTokenizer, inlined=_MLP),
        "grouped": Variant(GroupedTokenizer, inlined=_MLP),
        "none": ReshapeTokenizer,
        "per_token_split": PerTokenSplitTokenizer,
    },
    given=["num_fields", "field_names", "embedding_dim", "num_tokens", "token_dim"],
)

if TYPE_CHECKING:
    TokenizerSettings = LayerSettings
else:
    TokenizerSettings = TOKENIZERS.annotation
