"""The tokenizers that a mixer can have, by ``kind``, one line each; elements of sequences are tokens beside theirs."""

from typing import TYPE_CHECKING

from torch import nn

from rankelastor.models.layer_choice import LayerChoice, Variant
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.nn.projection import Projection
from rankelastor.nn.sizes import SizesDoNotFit
from rankelastor.nn.tokenizer.grouped import GroupedTokenizer
from rankelastor.nn.tokenizer.joint import JointTokenizer
from rankelastor.nn.tokenizer.per_token_split import PerTokenSplitTokenizer
from rankelastor.nn.tokenizer.reshape import ReshapeTokenizer
from rankelastor.nn.tokenizer.split import SplitTokenizer
from rankelastor.nn.tokenizer.with_sequences import WithSequenceTokens
from rankelastor.schema import FeatureSchema

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


def tokenizer_of(
    settings: TokenizerSettings, schema: FeatureSchema, *, embedding_dim: int, num_tokens: int, token_dim: int
) -> nn.Module:
    """Make a tokenizer of ``num_tokens`` tokens, of which each element of a sequence that is a token is one.

    Raises:
        SizesDoNotFit: no token is left for the fields, or the sizes do not fit the tokenizer.
    """
    num_elements = len(schema.sequence_tokens)
    if num_elements >= num_tokens:
        raise SizesDoNotFit(
            f"num_tokens must leave a token for the fields beside the {num_elements} tokens of sequences, but leaves "
            f"{num_tokens} for both; add at least {num_elements + 1 - num_tokens}, or try model.sequence.output=vector"
        )
    given = {
        "num_fields": len(schema.features),
        "field_names": schema.names[: len(schema.features)],
        "embedding_dim": embedding_dim,
        "num_tokens": num_tokens - num_elements,
        "token_dim": token_dim,
    }
    tokenizer = TOKENIZERS.build(settings, given)
    if not num_elements:
        return tokenizer
    return WithSequenceTokens(tokenizer, num_elements=num_elements, embedding_dim=embedding_dim, token_dim=token_dim)
