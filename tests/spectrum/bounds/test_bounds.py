"""The paper's bounds: cases by hand, the theorems under their conditions, and violations without a condition."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from rankelastor.spectrum import bounds
from rankelastor.spectrum.bounds import (
    apply_split_mixing,
    block_mixing_reach,
    departure_from_homogeneity,
    ffn_contraction,
    ffn_rank_bound,
    gate_rank_bound,
    gate_stable_rank_gain,
    split_mixing_lower_bound,
    split_mixing_upper_bound,
)
from rankelastor.spectrum.bounds.check import BoundCheck, Condition
from rankelastor.spectrum.bounds.ffn import is_homogeneous_on
from rankelastor.spectrum.bounds.trials import ACTIVATIONS

EXAMPLES = settings(max_examples=100, deadline=None, derandomize=True)
seeds = st.integers(0, 100_000)


def gaussian(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair_of_equal_norms(seed: int, share: float) -> tuple[Tensor, Tensor]:
    """Draw two matrices with decaying spectra, equal norms and a share of the first in the second, of either sign."""
    decay = torch.arange(1, 8, dtype=torch.float64) ** -(seed % 3)
    one, other = gaussian(seed, 6, 7) * decay, gaussian(seed + 1, 6, 7) * decay.flip(0)
    other = other + share * one
    return one, other * (one.norm() / other.norm())


# Statement 1


@EXAMPLES
@given(seed=seeds, share=st.floats(-3, 3))
def test_both_bounds_on_split_mixing_are_theorems_under_their_conditions(seed: int, share: float) -> None:
    one, other = pair_of_equal_norms(seed, share)
    for check in (split_mixing_lower_bound(one, other), split_mixing_upper_bound(one, other)):
        assert check.holds or not check.conditions_hold, check


@EXAMPLES
@given(seed=seeds)
def test_split_mixing_keeps_the_norm(seed: int) -> None:
    tokens = gaussian(seed, 4, 8)
    check = split_mixing_lower_bound(tokens, apply_split_mixing(tokens))
    assert check.conditions[0].holds


def test_split_mixing_is_a_permutation_that_undoes_itself_where_t_is_d() -> None:
    tokens = gaussian(0, 5, 5)
    assert torch.equal(apply_split_mixing(apply_split_mixing(tokens)), tokens)
    wide = torch.arange(12.0).reshape(2, 6)
    assert apply_split_mixing(wide).tolist() == [[0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11]]


def test_the_lower_bound_is_that_worked_out_by_hand() -> None:
    # k = 1 and mu = 4: 2 * 4 / (1 + 2)^2
    one = torch.zeros(5, 5)
    one[4, 4] = 2
    other = torch.diag(torch.tensor([1.0, 1, 1, 1, 0]))
    check = split_mixing_lower_bound(one, other)
    assert check.bound == pytest.approx(8 / 9)
    assert check.measured == pytest.approx(2)
    assert check.slack == pytest.approx(2 - 8 / 9)
    assert check.conditions_hold


def test_the_lower_bound_is_tight_where_the_leading_directions_agree() -> None:
    # X and Y share s_1 exactly and cancel elsewhere in the inner product: diag(1, 1) and diag(1, -1), k = mu = 2
    check = split_mixing_lower_bound(torch.diag(torch.tensor([1.0, 1.0])), torch.diag(torch.tensor([1.0, -1.0])))
    assert check.measured == pytest.approx(check.bound) == 1


def test_a_negative_inner_product_can_break_the_lower_bound_and_is_named() -> None:
    # All but the leading direction cancels, so sr(X + Y) is 1, below k / 2.
    one = torch.diag(torch.tensor([1.0, 1, 1, 1, 1, 1]))
    check = split_mixing_lower_bound(one, torch.diag(torch.tensor([1.0, -1, -1, -1, -1, -1])))
    assert check.measured == pytest.approx(1)
    assert not check.holds
    assert check.broken_conditions == ("the inner product of X and Y is not negative",)


def test_cancelling_the_leading_direction_can_break_the_upper_bound_and_is_named() -> None:
    one = torch.diag(torch.tensor([10.0] + [1.0] * 20))
    other = torch.diag(torch.tensor([-10.0] + [1.0] * 20))
    check = split_mixing_upper_bound(one, other)
    assert check.measured == pytest.approx(20)
    assert not check.holds
    assert check.broken_conditions == ("Y does not cancel the leading direction of X",)


def test_unequal_norms_are_named() -> None:
    assert split_mixing_lower_bound(torch.eye(3), 2 * torch.eye(3)).broken_conditions == (
        "X and Y have equal Frobenius norms",
    )


def test_tokens_that_do_not_divide_their_width_are_an_error() -> None:
    with pytest.raises(ValueError, match="4 x 6 was given"):
        apply_split_mixing(torch.zeros(4, 6))


# Statement 3


@EXAMPLES
@given(seed=seeds, num_blocks=st.integers(1, 6), block_dim=st.integers(1, 6), rank=st.integers(1, 6))
def test_block_mixing_reaches_rank_times_blocks_dimensions(
    seed: int, num_blocks: int, block_dim: int, rank: int
) -> None:
    blocks = gaussian(seed, num_blocks, rank) @ gaussian(seed + 1, rank, block_dim)
    check = block_mixing_reach(blocks)
    assert check.measured == num_blocks * min(num_blocks, block_dim, rank)
    assert check.holds == check.conditions_hold == (min(num_blocks, rank) < block_dim)


def test_the_map_of_block_mixing_is_the_kronecker_product() -> None:
    blocks, weight = gaussian(0, 3, 4), gaussian(1, 3, 3)
    by_weight = torch.kron(torch.eye(3, dtype=torch.float64), blocks.mT.contiguous()) @ weight.flatten()
    torch.testing.assert_close(by_weight, torch.kron(weight, torch.eye(4).double()) @ blocks.flatten())


def test_blocks_of_zeros_are_reached_alike() -> None:
    assert block_mixing_reach(torch.zeros(2, 3)).broken_conditions == ("not all blocks are zero",)


# Statement 2


@EXAMPLES
@given(seed=seeds, name=st.sampled_from(["relu", "leaky_relu", "identity"]), one_sign=st.booleans())
def test_a_shared_homogeneous_ffn_keeps_rank_one_at_two_or_one(seed: int, name: str, one_sign: bool) -> None:
    weights = gaussian(seed, 7, 1)
    tokens = (weights.abs() if one_sign else weights) @ gaussian(seed + 1, 1, 5)
    check = ffn_rank_bound(tokens, ACTIVATIONS[name], gaussian(seed + 2, 5, 9), gaussian(seed + 3, 9, 5))
    assert check.conditions_hold
    assert check.holds
    assert check.bound == (1 if one_sign or bool((weights > 0).all()) or bool((weights < 0).all()) else 2)


def test_a_row_of_zeros_has_no_sign() -> None:
    tokens = torch.tensor([[1.0], [0.0], [2.0]]) * torch.tensor([[1.0, -2.0]])
    check = ffn_rank_bound(tokens, torch.relu, torch.eye(2), torch.eye(2))
    assert (check.bound, check.measured) == (1, 1)


@pytest.mark.parametrize("name", ["gelu", "tanh"])
def test_an_activation_that_is_not_homogeneous_breaks_the_rank_bound_and_is_named(name: str) -> None:
    tokens = gaussian(0, 7, 1) @ gaussian(1, 1, 5)
    check = ffn_rank_bound(tokens, ACTIVATIONS[name], gaussian(2, 5, 9), gaussian(3, 9, 5))
    assert check.broken_conditions == ("phi is positively homogeneous",)
    assert not check.holds


def test_weights_of_its_own_for_each_token_break_the_rank_bound_and_are_named() -> None:
    tokens = gaussian(0, 7, 1) @ gaussian(1, 1, 5)
    check = ffn_rank_bound(tokens, torch.relu, gaussian(2, 7, 5, 9), gaussian(3, 7, 9, 5))
    assert check.broken_conditions == ("all tokens share the weights",)
    assert check.measured == 5


def test_per_token_weights_that_are_all_alike_change_nothing() -> None:
    tokens, inner, outer = gaussian(0, 7, 5), gaussian(1, 5, 9), gaussian(2, 9, 5)
    alone = ffn_contraction(tokens, functional.gelu, inner, outer)
    alike = ffn_contraction(tokens, functional.gelu, inner.expand(7, 5, 9), outer.expand(7, 9, 5))
    assert alike.measured == pytest.approx(alone.measured)


def test_relu_doubles_the_stable_rank_of_rank_one_rows_of_both_signs() -> None:
    tokens = torch.tensor([[1.0], [-1.0]]) * torch.tensor([[1.0, -1.0]])
    check = ffn_contraction(tokens, torch.relu, torch.eye(2), torch.eye(2))
    assert check.bound == pytest.approx(1)
    assert check.measured == pytest.approx(2)
    assert not check.holds


def test_no_alpha_contracts_below_one() -> None:
    tokens = gaussian(0, 4, 1) @ gaussian(1, 1, 4)
    check = ffn_contraction(tokens, torch.relu, torch.eye(4), torch.eye(4), alpha=0.9)
    assert "alpha times the stable rank of X is at least 1" in check.broken_conditions


# Statement 4


@EXAMPLES
@given(
    seed=seeds,
    name=st.sampled_from(sorted(ACTIVATIONS)),
    rank=st.integers(1, 4),
    rows=st.integers(4, 12),
    hidden=st.integers(1, 24),
)
def test_the_gate_reaches_its_rank_bound_where_the_conditions_hold(
    seed: int, name: str, rank: int, rows: int, hidden: int
) -> None:
    tokens = gaussian(seed, rows, rank) @ gaussian(seed + 1, rank, 6)
    check = gate_rank_bound(tokens, ACTIVATIONS[name], gaussian(seed + 2, 6, hidden), gaussian(seed + 3, 6, hidden))
    assert check.bound == min(6, rank * (rank + 1) // 2, rows, hidden)
    assert check.holds or not check.conditions_hold, check


def test_without_an_activation_the_gate_has_exactly_the_rank_of_the_products() -> None:
    tokens = gaussian(0, 20, 3) @ gaussian(1, 3, 8)
    check = gate_rank_bound(tokens, ACTIVATIONS["identity"], gaussian(2, 8, 30), gaussian(3, 8, 30))
    assert check.bound == check.measured == 6


def test_too_few_rows_or_too_little_width_limit_the_gate_and_are_named() -> None:
    tokens = gaussian(0, 20, 3) @ gaussian(1, 3, 8)
    narrow = gate_rank_bound(tokens, torch.tanh, gaussian(2, 8, 4), gaussian(3, 8, 4))
    short = gate_rank_bound(tokens[:5], torch.tanh, gaussian(2, 8, 9), gaussian(3, 8, 9))
    for check, room in ((narrow, 4), (short, 5)):
        assert check.bound == check.measured == room
        assert check.broken_conditions == ("rows and inner width leave room for min(D, k(k+1)/2)",)


def test_rows_of_few_distinct_values_break_the_condition_on_products() -> None:
    # For axis-aligned rows z_1 z_2 is zero, so only two of three products are independent.
    tokens = torch.eye(2).repeat(3, 1) @ torch.eye(2, 5)
    check = gate_rank_bound(tokens, ACTIVATIONS["identity"], gaussian(2, 5, 9), gaussian(3, 5, 9))
    assert check.broken_conditions == ("the products of the rows' coordinates are independent",)
    assert (check.bound, check.measured) == (3, 2)


def test_a_flat_activation_can_fall_short_of_the_rank_bound_and_is_named() -> None:
    tokens = gaussian(0, 6, 2).abs() @ torch.eye(2, 4).double()
    gate = -gaussian(1, 4, 3).abs()  # every gate is closed
    check = gate_rank_bound(tokens, torch.relu, gate, gaussian(2, 4, 3))
    assert (check.measured, check.holds) == (0, False)
    assert check.broken_conditions == ("phi is nowhere flat on the gate's inputs, as relu is",)


def test_a_gain_beyond_rows_and_width_is_out_of_reach() -> None:
    check = gate_stable_rank_gain(torch.eye(3), torch.tanh, gaussian(0, 3, 9), gaussian(1, 3, 9), delta=1)
    assert check.bound == pytest.approx(4)
    assert check.broken_conditions == ("sr(X) + delta is at most rows and inner width",)
    assert not check.holds


# Homogeneity


def test_which_activations_are_homogeneous() -> None:
    inputs = gaussian(0, 100)
    assert [name for name, phi in ACTIVATIONS.items() if is_homogeneous_on(phi, inputs)] == [
        "relu",
        "leaky_relu",
        "identity",
    ]


def test_gelu_is_nearly_homogeneous_for_tiny_and_for_large_inputs_only() -> None:
    off = [departure_from_homogeneity(functional.gelu, scale=scale) for scale in (1e-3, 0.5, 1e3)]
    assert off[0] < 1e-3
    assert 0.15 < off[1] < 0.25
    assert off[2] < 1e-3
    assert departure_from_homogeneity(torch.relu, scale=1) == 0


def test_the_slope_of_gelus_departure_at_zero_is_that_of_its_series() -> None:
    # gelu(x) = x/2 + x^2 / sqrt(2 pi): |phi(cx) - c phi(x)| = c |c - 1| x^2 / sqrt(2 pi)
    scale = 1e-4
    off = departure_from_homogeneity(functional.gelu, scale=scale, factors=(2.0,))
    assert off == pytest.approx(scale / (2 * torch.pi) ** 0.5, rel=1e-4)


# The result of a check


def test_slack_and_sides() -> None:
    unmet = Condition("width", holds=False)
    at_most = BoundCheck("ffn_rank", "at most", 2, 3, (unmet, Condition("rows", holds=True)))
    assert (at_most.slack, at_most.holds, at_most.conditions_hold) == (-1, False, False)
    assert at_most.broken_conditions == ("width",)


def test_rounding_breaks_no_bound() -> None:
    assert BoundCheck("ffn_rank", "at least", 100.0, 100.0 - 1e-7, ()).holds


def test_the_four_statements_can_be_imported_from_one_place() -> None:
    assert all(hasattr(bounds, name) for name in bounds.__all__)
