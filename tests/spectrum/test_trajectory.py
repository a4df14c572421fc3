"""Expansion, contraction, net gain and damping of a trajectory, and its summary in words."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from rankelastor.errors import SettingsError
from rankelastor.spectrum.comparison import ONE_SEED_EACH, compare
from rankelastor.spectrum.damping import Damping, damping
from rankelastor.spectrum.gaussian import gaussian_reference
from rankelastor.spectrum.recording.recorder import Recorder
from rankelastor.spectrum.recording.statistics import Histogram, MeasureStatistics, PointStatistics, Recording
from rankelastor.spectrum.stages import StagePoints
from rankelastor.spectrum.trajectory import Trajectory, trajectory
from rankelastor.spectrum.verdict import verdict


def point(name: str, mean: float | None, *, deviation: float = 1.0, num_tokens: int = 10) -> PointStatistics:
    """Build a point whose mean over 100 examples has the standard error deviation / 10."""
    interval = None if mean is None else (mean - 0.196 * deviation, mean + 0.196 * deviation)
    found = MeasureStatistics("stable_rank", 100, mean, deviation, interval, mean, mean, Histogram(1, 10, (100,)))
    return PointStatistics(name, num_tokens, 20, 100, 0, 0, {"stable_rank": found}, None, None, None, ())


def path_through(*means: float, name: str = "model", deviation: float = 1.0) -> Trajectory:
    """Build a trajectory from the means of the tokens and then of the mixing and the FFN of each layer."""
    names = ["tokens"]
    for block in range(len(means) // 2):
        names += [f"block{block}.mixing", f"block{block}.pffn"]
    recording = Recording(tuple(point(*pair, deviation=deviation) for pair in zip(names, means, strict=True)))
    return trajectory(recording, StagePoints.from_point_names(names), name=name)


def test_changes_of_each_layer_are_those_worked_out_by_hand() -> None:
    path = path_through(2.0, 5.0, 3.0, 4.0, 3.5)
    first, second = path.layers
    assert (first.expansion, first.contraction, first.net_gain, first.swing) == (3.0, 2.0, 1.0, 2.5)
    assert (second.expansion, second.contraction, second.net_gain, second.swing) == (1.0, 0.5, 0.5, 0.75)
    assert path.net_gain == 1.5
    assert path.final_share == 0.35
    assert path.max_possible_rank == 10
    assert first.expansion_error == pytest.approx(0.2)
    assert [stage.kind for stage in path.stages] == ["tokens", "mixing", "ffn", "mixing", "ffn"]


def test_a_steady_rise_is_no_swing() -> None:
    assert [layer.swing for layer in path_through(1, 2, 3, 4, 5).layers] == [0, 0]


def test_damping_of_halved_swings_is_minus_log_two_without_error() -> None:
    fit = damping([8, -4, 2, -1])
    assert fit.slope == pytest.approx(-math.log(2))
    assert fit.standard_error == pytest.approx(0, abs=1e-12)
    assert fit.reason is None


def test_the_standard_error_of_damping_is_that_of_the_textbook() -> None:
    heights = [1.0, 0.0, 0.5]
    fit = damping([math.exp(height) for height in heights])
    # slope -1/4; residuals 1/4, -1/2, 1/4; s^2 = 3/8; sum (x - mean)^2 = 2
    assert fit.slope == pytest.approx(-0.25)
    assert fit.standard_error == pytest.approx(math.sqrt(3 / 8 / 2))


@pytest.mark.parametrize(
    ("swings", "reason"), [([1.0, 2.0], "at least 3 layers, but there are 2"), ([1.0, 0.0, 2.0], "that of layer 2 is")]
)
def test_undefined_damping_says_why(swings: list[float], reason: str) -> None:
    fit = damping(swings)
    assert fit == Damping(None, None, None, fit.reason)
    assert fit.reason is not None
    assert reason in fit.reason


def test_a_trajectory_survives_json() -> None:
    for path in (path_through(2, 5, 3), path_through(2, 5, 3, 4, 3.5, 4, 3.9)):
        assert Trajectory.from_json(path.to_json()) == path


def test_blocks_are_put_in_order_of_their_numbers() -> None:
    names = [f"block{index}.{part}" for index in range(11) for part in ("mixing", "pffn")]
    stages = StagePoints.from_point_names(["tokens", *sorted(names)])
    assert stages.mixings == tuple(f"block{index}.mixing" for index in range(11))


def test_a_trajectory_is_read_from_a_recorded_model() -> None:
    network = nn.Sequential(nn.Identity(), nn.Linear(6, 6), nn.ReLU())
    with Recorder(network, ["0", "1", "2"]) as recorder, torch.no_grad():
        network(torch.randn(20, 4, 6))
    path = trajectory(
        recorder.recording(), StagePoints("0", ("1",), ("2",)), measure="participation_ratio", name="small"
    )
    assert path.stages[0].count == 20
    assert path.max_possible_rank == 4
    assert path.measure == "participation_ratio"


def test_gaussian_matrices_are_far_from_the_largest_possible_stable_rank() -> None:
    assert 7 < gaussian_reference(26, 30, measure="stable_rank") < 8
    assert gaussian_reference(26, 30, measure="numerical_rank") == 26


# The verdict


def test_a_collapsed_model_is_called_so_with_its_share() -> None:
    found = verdict(path_through(3.0, 4.0, 1.2), threshold=0.2)
    assert found.collapsed
    assert found.share == pytest.approx(0.12)
    assert "model has collapsed" in found.sentences[0]
    assert "1.20 of 10 possible (12 %), below the threshold of 20 %" in found.sentences[0]


def test_the_threshold_decides() -> None:
    assert not verdict(path_through(3.0, 4.0, 1.2), threshold=0.1).collapsed


def test_the_sublayer_that_loses_most_is_named() -> None:
    loss = verdict(path_through(5, 6, 5.5, 4, 3.9)).largest_loss
    assert loss is not None
    assert (loss.point, loss.layer, loss.kind, loss.amount) == ("block1.mixing", 2, "mixing", 1.5)


def test_a_trajectory_without_loss_is_described() -> None:
    found = verdict(path_through(1, 2, 3))
    assert found.largest_loss is None
    assert "No sublayer loses rank." in found.sentences


def test_damped_swings_are_described() -> None:
    found = verdict(path_through(1, 5, 1, 3, 1, 2, 1, 1.5, 1))
    assert "the swings are damped: each is 0.50 times the one before" in found.sentences[2]
    assert "not defined here: damping needs" in verdict(path_through(1, 5, 1)).sentences[2]


def test_two_runs_are_compared_in_words() -> None:
    wide, narrow = path_through(2, 6, 5, name="RankElastor"), path_through(2, 4, 2, name="RankMixer")
    ends, changes = compare(wide, narrow)
    assert ends == (
        "RankElastor ends at a stable rank of 5.00 of 10 possible (50 %), RankMixer at 2.00 of 10 possible (20 %): "
        "different for these two models, since their 95 % intervals over examples do not overlap. "
        + ONE_SEED_EACH
        + "."
    )
    assert "RankElastor expands more than RankMixer at its mixings (+4.00 per mixing against +2.00)" in changes
    assert "shrinks less at its FFNs (1.00 lost per FFN against 2.00 lost per FFN)" in changes
    assert verdict(wide, other=narrow).sentences[-2:] == (ends, changes)


def test_ffns_that_gain_rank_are_described() -> None:
    _, changes = compare(path_through(2, 3, 5, name="RankElastor"), path_through(2, 4, 3, name="RankMixer"))
    assert "shrinks less at its FFNs (2.00 gained per FFN against 1.00 lost per FFN)" in changes


def test_runs_whose_intervals_overlap_are_not_called_clearly_different() -> None:
    one, other = path_through(2, 6, 5, deviation=9, name="a"), path_through(2, 6, 4, deviation=9, name="b")
    assert (
        "not clearly different, since their 95 % intervals over examples overlap. Each is one" in compare(one, other)[0]
    )


# Any points


def shaped(name: str, mean: float, num_tokens: int) -> PointStatistics:
    return point(name, mean, num_tokens=num_tokens)


def test_any_points_make_a_trajectory_without_layers() -> None:
    recording = Recording((point("conv1", 4), point("conv2", 5), point("conv3", 2)))
    path = trajectory(recording, ["conv1", "conv2", "conv3"], name="CNN")
    assert [(stage.point, stage.kind) for stage in path.stages] == [(f"conv{n}", "point") for n in (1, 2, 3)]
    assert path.layers == ()
    assert path.net_gain == -2
    collapse, loss = verdict(path).sentences
    assert "CNN has not collapsed" in collapse
    assert loss == "The most is lost at conv3: 3.00."
    assert compare(path, path)[0].startswith("CNN ends at")
    assert len(compare(path, path)) == 1


def test_a_loss_between_stages_of_several_shapes_is_one_of_the_possible_share() -> None:
    recording = Recording((shaped("wide", 10, 20), shaped("narrow", 4, 5), shaped("last", 2.5, 5)))
    found = verdict(trajectory(recording, ["wide", "narrow", "last"]))
    assert found.largest_loss is not None
    assert found.largest_loss.point == "last"
    assert found.largest_loss.amount == pytest.approx(0.3)  # 4/5 - 2.5/5
    assert "The most is lost at last: 30 % of the possible rank." in found.sentences


def test_a_trajectory_of_the_matrix_of_all_examples_has_one_value_and_no_interval() -> None:
    network = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
    with Recorder(network, ["0", "1"], matrices="flattened") as recorder, torch.no_grad():
        network(torch.randn(30, 4))
    path = trajectory(recorder.recording(), ["0", "1"], measure="numerical_rank", matrix="flattened")
    assert path.stages[0].mean == 5  # four inputs and the bias
    assert (path.max_possible_rank, path.stages[0].count, path.stages[0].confidence_interval) == (6, 30, None)
    assert path.matrix == "the matrix of all examples (examples x TD)"


# Bad input


def test_points_that_do_not_make_layers_are_an_error() -> None:
    with pytest.raises(SettingsError, match="1 mixings and 0 FFNs"):
        StagePoints("tokens", ("mixing",), ())


def test_a_stage_that_was_not_recorded_is_an_error_that_lists_those_that_were() -> None:
    with pytest.raises(SettingsError, match="one of the recorded points tokens, but 'mixing' was given"):
        trajectory(Recording((point("tokens", 2),)), StagePoints("tokens", ("mixing",), ("ffn",)))


def test_a_stage_without_a_mean_is_an_error_that_counts_what_it_saw() -> None:
    recording = Recording((point("tokens", None),))
    with pytest.raises(SettingsError, match="'tokens' has none: of 100 recorded examples 0 are not finite"):
        trajectory(recording, StagePoints("tokens", ("mixing",), ("ffn",)))


def test_stages_of_different_shapes_are_an_error() -> None:
    recording = Recording((point("r", 2), point("m", 3), point("f", 2, num_tokens=9)))
    with pytest.raises(SettingsError, match="one shape"):
        trajectory(recording, StagePoints("r", ("m",), ("f",)))


def test_bad_thresholds_and_unlike_measures_are_errors() -> None:
    path = path_through(1, 2, 1)
    with pytest.raises(SettingsError, match="0 < threshold <= 1, but 0 was given"):
        verdict(path, threshold=0)
    recording = Recording((point("r", 2), point("m", 3), point("f", 2)))
    with pytest.raises(SettingsError, match="a measure must be one of"):
        trajectory(recording, StagePoints("r", ("m",), ("f",)), measure="erank")
