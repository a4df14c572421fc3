"""Numerical checks of the bounds in the RankElastor paper (arXiv 2605.23191).

1. Split mixing expands little: `split_mixing_lower_bound`, `split_mixing_upper_bound`.
2. An FFN shared by all rows keeps rank one low: `ffn_rank_bound`; low stable rank contracts: `ffn_contraction`;
   `departure_from_homogeneity` measures how far an activation is from the homogeneity that both assume.
3. Block mixing reaches less than full mixing: `block_mixing_reach`.
4. The gate makes new directions: `gate_rank_bound`, `gate_stable_rank_gain`.

Each bound returns a `BoundCheck`: the bound, the measured value, the slack, and which conditions hold.
"""

from rankelastor.spectrum.bounds.check import BoundCheck, Condition
from rankelastor.spectrum.bounds.ffn import (
    departure_from_homogeneity,
    ffn_contraction,
    ffn_rank_bound,
    gate_rank_bound,
    gate_stable_rank_gain,
)
from rankelastor.spectrum.bounds.mixing import (
    apply_split_mixing,
    block_mixing_reach,
    split_mixing_lower_bound,
    split_mixing_upper_bound,
)

__all__ = [
    "BoundCheck",
    "Condition",
    "apply_split_mixing",
    "block_mixing_reach",
    "departure_from_homogeneity",
    "ffn_contraction",
    "ffn_rank_bound",
    "gate_rank_bound",
    "gate_stable_rank_gain",
    "split_mixing_lower_bound",
    "split_mixing_upper_bound",
]
