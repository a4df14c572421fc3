"""The cost of the mixings of a mixer, and that of cheaper mixings in their place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rankelastor.models.cost import Cost, cost_of
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.models.mixer import MixerSettings
from rankelastor.models.mixings import MIXINGS
from rankelastor.schema import FeatureSchema

DOMINANT_SHARE = 0.5


@dataclass(frozen=True)
class MixingCost:
    """The cost of the mixings of a ranker: parameters and forward FLOPs per example, over all blocks.

    ``parameter_share`` and ``flops_share``: shares of the ranker's dense parameters and of its FLOPs per example.
    """

    mixing: LayerSettings
    parameters: int
    flops_per_example: int
    parameter_share: float
    flops_share: float

    @property
    def dominates(self) -> bool:
        """Whether the mixings have more than half of the dense parameters or of the FLOPs."""
        return max(self.parameter_share, self.flops_share) > DOMINANT_SHARE


def mixing_cost(settings: MixerSettings, schema: FeatureSchema) -> MixingCost:
    """Compute the cost of the mixings of a mixer: the difference to the same mixer with identity mixing.

    Raises:
        SettingsError: the sizes do not fit each other.
    """
    return _subtract(_cost_with(settings, MIXINGS.settings("identity"), schema), settings, schema)


def cheaper_mixings(settings: MixerSettings, schema: FeatureSchema) -> tuple[MixingCost, ...]:
    """Suggest Kronecker, low-rank and block mixing if the cost of full mixing dominates; otherwise nothing.

    Sizes are near a square root, which keeps each near its least cost: the number of groups is near sqrt(T), so that a
    group spans several tokens; rank and block width are near sqrt(T * D).

    Raises:
        SettingsError: the sizes do not fit each other.
    """
    if {mixing.kind for mixing in settings.mixing_of_blocks} != {"full"} or not mixing_cost(settings, schema).dominates:
        return ()
    bare = _cost_with(settings, MIXINGS.settings("identity"), schema)
    return tuple(
        _subtract(bare, _replace_mixing(settings, mixing), schema)
        for mixing in _suggest(settings.num_tokens, settings.token_dim)
    )


def _suggest(num_tokens: int, token_dim: int) -> Iterator[LayerSettings]:
    near_root = divisor_near_root(num_tokens * token_dim)
    if num_tokens > 1:
        groups = divisor_near_root(num_tokens) if divisor_near_root(num_tokens) < num_tokens else 1
        yield MIXINGS.settings("kronecker", {"num_groups": groups})
    yield MIXINGS.settings("low_rank", {"rank": near_root})
    yield MIXINGS.settings("block", {"block_dim": near_root})


def divisor_near_root(size: int) -> int:
    """Find the divisor of ``size`` nearest to its square root by ratio; of two equally near ones, the larger.

    Example:
        >>> divisor_near_root(12), divisor_near_root(13), divisor_near_root(400)
        (4, 13, 20)
    """
    root = size**0.5
    small = max(divisor for divisor in range(1, int(root) + 1) if size % divisor == 0)
    return size // small


def _cost_with(settings: MixerSettings, mixing: LayerSettings, schema: FeatureSchema) -> Cost:
    return cost_of(_replace_mixing(settings, mixing), schema)


def _replace_mixing(settings: MixerSettings, mixing: LayerSettings) -> MixerSettings:
    return type(settings).model_validate(settings.model_dump() | {"mixing": mixing.model_dump(), "mixings": ()})


def _subtract(bare: Cost, settings: MixerSettings, schema: FeatureSchema) -> MixingCost:
    whole = cost_of(settings, schema)
    parameters = whole.dense_parameters - bare.dense_parameters
    flops = whole.flops_per_example - bare.flops_per_example
    return MixingCost(
        mixing=settings.mixing,
        parameters=parameters,
        flops_per_example=flops,
        parameter_share=parameters / whole.dense_parameters if whole.dense_parameters else 0.0,
        flops_share=flops / whole.flops_per_example if whole.flops_per_example else 0.0,
    )
