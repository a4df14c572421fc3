"""Settings of the rankers: ``kind:`` names the variant, never a number."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from rankelastor.config.base import Settings

HiddenDims = tuple[PositiveInt, ...]
Dropout = Annotated[float, Field(ge=0, lt=1)]
ActivationName = Literal["relu", "gelu", "tanh"]


class _Projection(Settings):
    """An MLP Linear -> [RMSNorm] -> activation -> dropout for each hidden width, then Linear."""

    hidden_dims: HiddenDims = ()
    activation: ActivationName = "relu"
    norm: bool = True
    dropout: Dropout = 0.0


class SplitTokenizerSettings(_Projection):
    """Cut the field embeddings into equal parts; one shared MLP maps each to a token."""

    kind: Literal["split"]


class JointTokenizerSettings(_Projection):
    """One MLP maps all field embeddings together to all tokens."""

    kind: Literal["joint"]


class GroupedTokenizerSettings(_Projection):
    """Each named group of fields has its own MLP to one token; every field stands in exactly one group."""

    kind: Literal["grouped"]
    groups: Annotated[dict[str, Annotated[tuple[str, ...], Field(min_length=1)]], Field(min_length=1)]


class NoTokenizerSettings(Settings):
    """Reshape only: field * embedding_dim must equal num_tokens * token_dim."""

    kind: Literal["none"]


TokenizerSettings = Annotated[
    SplitTokenizerSettings | JointTokenizerSettings | GroupedTokenizerSettings | NoTokenizerSettings,
    Field(discriminator="kind"),
]


class SplitMixingSettings(Settings):
    """RankMixer's parameter-free mixing: swap parts of tokens; num_tokens must divide token_dim."""

    kind: Literal["split"]


class FullMixingSettings(Settings):
    """RankElastor's mixing: one linear map of all num_tokens * token_dim coordinates."""

    kind: Literal["full"]


class KroneckerMixingSettings(Settings):
    """One linear map shared by ``num_groups`` equal parts of the flattened tokens.

    ``norm``: ``pre`` is an RMSNorm over all coordinates before (published for Criteo), ``post`` a LayerNorm over
    each token after the residual (published for Avazu).
    """

    kind: Literal["kronecker"]
    num_groups: PositiveInt
    norm: Literal["pre", "post"] = "pre"


class LowRankMixingSettings(Settings):
    """Full mixing with W = U V^T of the rank given: cheaper than full where rank is below T * D / 2."""

    kind: Literal["low_rank"]
    rank: PositiveInt


class PlainGlobalMapSettings(Settings):
    """Any matrix across the blocks."""

    kind: Literal["plain"] = "plain"


class SinkhornGlobalMapSettings(Settings):
    """A symmetric, doubly stochastic matrix across the blocks, by Sinkhorn's scaling of scores over a temperature.

    The temperature falls linearly from ``start_temperature`` to ``end_temperature`` over the first ``fall_epochs``
    epochs of training and stays there; equal ends give a fixed temperature. ``iterations``: scaling steps.
    """

    kind: Literal["sinkhorn"]
    start_temperature: PositiveFloat = 1.0
    end_temperature: PositiveFloat = 0.05
    fall_epochs: PositiveFloat = 1.0
    iterations: PositiveInt = 20


GlobalMapSettings = Annotated[PlainGlobalMapSettings | SinkhornGlobalMapSettings, Field(discriminator="kind")]


class BlockMixingSettings(Settings):
    """A local map in each block of ``block_dim`` coordinates and a global map across the blocks (UniMixer's structure).

    ``block_dim`` must divide num_tokens * token_dim; near its square root the mixing costs least.
    """

    kind: Literal["block"]
    block_dim: PositiveInt
    global_map: GlobalMapSettings = PlainGlobalMapSettings()


class IdentityMixingSettings(Settings):
    """No mixing, for ablation."""

    kind: Literal["identity"]


MixingSettings = Annotated[
    SplitMixingSettings
    | FullMixingSettings
    | KroneckerMixingSettings
    | LowRankMixingSettings
    | BlockMixingSettings
    | IdentityMixingSettings,
    Field(discriminator="kind"),
]


class MlpFfnSettings(Settings):
    """Per-token MLP: Linear -> [RMSNorm] -> activation -> dropout for each hidden width, then Linear."""

    kind: Literal["mlp"]
    hidden_dims: Annotated[HiddenDims, Field(min_length=1)]
    activation: ActivationName = "gelu"
    norm: bool = False
    dropout: Dropout = 0.0


class GluFfnSettings(Settings):
    """Per-token GLU: [RMSNorm] -> gate -> Linear if the width changes -> dropout for each width, then Linear.

    ``gate``: ``published`` is the gate of the published code, ``paper`` the one of the paper.
    ``expansion``: inner width of a gate over its input width.
    """

    kind: Literal["glu"]
    hidden_dims: Annotated[HiddenDims, Field(min_length=1)]
    expansion: PositiveFloat = 3.0
    gate: Literal["published", "paper"] = "published"
    norm: bool = True
    dropout: Dropout = 0.0


FfnSettings = Annotated[MlpFfnSettings | GluFfnSettings, Field(discriminator="kind")]


class MlpHeadSettings(Settings):
    """Flatten, Linear to twice the width, ReLU, Linear to one logit."""

    kind: Literal["mlp"] = "mlp"


class LinearHeadSettings(Settings):
    """Flatten, Linear to one logit."""

    kind: Literal["linear"]


class MeanHeadSettings(Settings):
    """The mean of all coordinates; no parameters."""

    kind: Literal["mean"]


HeadSettings = Annotated[MlpHeadSettings | LinearHeadSettings | MeanHeadSettings, Field(discriminator="kind")]


class _MixerRanker(Settings):
    """Field embeddings, a tokenizer, ``num_blocks`` blocks of mixing and per-token FFN, and a head."""

    embedding_dim: PositiveInt = 10
    num_tokens: PositiveInt
    token_dim: PositiveInt
    num_blocks: NonNegativeInt = 2
    tokenizer: TokenizerSettings
    mixing: MixingSettings
    ffn: FfnSettings
    head: HeadSettings = MlpHeadSettings()


class RankElastorSettings(_MixerRanker):
    """RankElastor: full mixing unless said otherwise; its per-token FFNs are `kind: glu`."""

    kind: Literal["rankelastor"]
    mixing: MixingSettings = FullMixingSettings(kind="full")


class RankMixerSettings(_MixerRanker):
    """RankMixer: split mixing unless said otherwise; its per-token FFNs are `kind: mlp`."""

    kind: Literal["rankmixer"]
    mixing: MixingSettings = SplitMixingSettings(kind="split")


ModelSettings = Annotated[RankElastorSettings | RankMixerSettings, Field(discriminator="kind")]
