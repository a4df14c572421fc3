"""The Monte Carlo check of the bounds: it is reproducible and complete, and reports what fails."""

from __future__ import annotations

import pytest
import torch

from rankelastor.errors import SettingsError
from rankelastor.spectrum.bounds.monte_carlo import WHAT_FAILS_IN_NETWORKS, TheoryReport, TheoryRow, check_bounds

THEOREMS = ("split_mixing_lower", "split_mixing_upper", "ffn_rank", "block_mixing_reach", "gate_rank")


@pytest.fixture(scope="module")
def report() -> TheoryReport:
    return check_bounds(seed=3, num_trials=3)


def rows_of(report: TheoryReport, statement: str) -> list[TheoryRow]:
    return [row for row in report.rows if row.statement == statement]


@pytest.mark.parametrize("statement", THEOREMS)
def test_each_theorem_holds_in_every_trial_that_meets_its_conditions(report: TheoryReport, statement: str) -> None:
    shares = [row.share_bound_holds_given_conditions for row in rows_of(report, statement)]
    assert {share for share in shares if share is not None} == {1.0}


def test_all_statements_activations_and_scales_are_tried(report: TheoryReport) -> None:
    assert set(report.sentences) == {row.statement for row in report.rows} == set(WHAT_FAILS_IN_NETWORKS)
    for statement in ("ffn_rank", "ffn_contraction", "gate_rank", "gate_gain"):
        settings = [row.setting for row in rows_of(report, statement)]
        assert {setting["activation"] for setting in settings} == {"relu", "leaky_relu", "gelu", "tanh", "identity"}
        assert len({setting["scale"] for setting in settings}) == 3


def test_gelu_and_per_token_weights_are_said_to_break_the_ffn_bound(report: TheoryReport) -> None:
    gelu = [row for row in rows_of(report, "ffn_rank") if row.setting["activation"] == "gelu"]
    assert all(row.share_conditions_hold == 0 for row in gelu)
    assert all("phi is positively homogeneous" in row.broken_conditions for row in gelu)
    own = [row for row in rows_of(report, "ffn_rank") if "separate weights" in str(row.setting["tokens"])]
    assert all(row.broken_conditions["all tokens share the weights"] == 3 for row in own)
    assert "GELU is not homogeneous" in report.sentences["ffn_rank"]


def test_narrow_gates_are_said_to_leave_no_room(report: TheoryReport) -> None:
    narrow = [row for row in rows_of(report, "gate_rank") if row.setting["rank"] == row.setting["inner_width"] == 8]
    assert narrow
    assert all(any("leave room" in name for name in row.broken_conditions) for row in narrow)


def test_a_row_says_in_words_what_its_numbers_are(report: TheoryReport) -> None:
    row = rows_of(report, "block_mixing_reach")[0]
    assert row.sentence == (
        "block_mixing_reach (num blocks 4, block dim 8, rank 1): 4.00 should be at most 31.00 on average, and is in "
        "100 % of 3 trials; all conditions hold."
    )
    assert (row.mean_slack, row.worst_slack) == (27, 27)


def test_homogeneity_is_quantified_by_activation_and_scale(report: TheoryReport) -> None:
    off = {(row.activation, row.scale): row.departure for row in report.homogeneity}
    assert off["relu", 1.0] == 0
    assert off["gelu", 0.3] > 0.15 > off["gelu", 100.0]


def test_the_same_seed_gives_the_same_report_and_touches_no_global_state(report: TheoryReport) -> None:
    before, num_threads = torch.get_rng_state(), torch.get_num_threads()
    assert check_bounds(seed=3, num_trials=1) == check_bounds(seed=3, num_trials=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == num_threads


def test_a_report_survives_json(report: TheoryReport) -> None:
    assert TheoryReport.from_json(report.to_json()) == report


def test_no_trials_are_an_error() -> None:
    with pytest.raises(SettingsError, match="at least 1, but 0 was given"):
        check_bounds(num_trials=0)
