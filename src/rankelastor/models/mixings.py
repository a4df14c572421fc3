"""The mixings that a mixer can have, and the rotations before them, by ``kind``, one line each."""

from typing import TYPE_CHECKING

from rankelastor.models.layer_choice import LayerChoice, Variant
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.nn.mixing.block import BlockMixing, PlainMatrix
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.mixing.identity import IdentityMixing
from rankelastor.nn.mixing.kronecker import KroneckerMixing
from rankelastor.nn.mixing.low_rank import LowRankMixing
from rankelastor.nn.mixing.rotation import EigenvalueRotation
from rankelastor.nn.mixing.sinkhorn import DoublyStochasticMatrix
from rankelastor.nn.mixing.split import SplitMixing

GLOBAL_MAPS = LayerChoice({"plain": PlainMatrix, "sinkhorn": DoublyStochasticMatrix}, given=["size"])

MIXINGS = LayerChoice(
    {
        "split": SplitMixing,
        "full": FullMixing,
        "kronecker": KroneckerMixing,
        "low_rank": LowRankMixing,
        "block": Variant(BlockMixing, choices={"global_map": GLOBAL_MAPS}),
        "identity": IdentityMixing,
    },
    given=["num_tokens", "token_dim"],
)

ROTATIONS = LayerChoice({"eigenvalue": EigenvalueRotation}, given=["num_tokens", "token_dim"])

if TYPE_CHECKING:
    MixingSettings = LayerSettings
    RotationSettings = LayerSettings
else:
    MixingSettings = MIXINGS.annotation
    RotationSettings = ROTATIONS.classes["eigenvalue"]
