"""The recorder computes streaming statistics of a model's activations and leaves the model unchanged."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rankelastor.errors import RankElastorError, SettingsError
from rankelastor.spectrum.measures import MEASURES, all_measures
from rankelastor.spectrum.recording.reading import feature_map_tokens
from rankelastor.spectrum.recording.recorder import Recorder
from rankelastor.spectrum.recording.statistics import Recording
from rankelastor.spectrum.singular_values import relative_singular_values


class Doubling(nn.Module):
    """A layer that returns a tuple, as attention layers do."""

    def forward(self, tokens: Tensor) -> tuple[Tensor, None]:
        return 2 * tokens, None


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 5))


def batches(*sizes: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(size, 4, 5, generator=generator) for size in sizes]


def test_streamed_statistics_are_those_of_all_examples_at_once() -> None:
    network, parts = model().eval(), batches(30, 7, 1)
    with Recorder(network, ["0"], method="exact") as recorder:
        for part in parts:
            network(part)
    tokens = network[0](torch.cat(parts)).detach()
    recorded = recorder.recording()["0"]
    assert (recorded.num_examples, recorded.num_tokens, recorded.token_dim, recorded.max_possible_rank) == (38, 4, 6, 4)
    for name, values in all_measures(tokens).items():
        found = recorded.examples[name]
        assert found.count == sum(found.histogram.counts) == 38
        assert found.mean == pytest.approx(float(values.mean()), rel=1e-6)
        assert found.standard_deviation == pytest.approx(float(values.std()), rel=1e-4, abs=1e-6)
        counts, _ = np.histogram(values, bins=240, range=(1, 4))
        assert np.abs(np.array(found.histogram.counts) - counts).sum() <= 2
    assert recorded.singular_values is not None
    np.testing.assert_allclose(recorded.singular_values.mean, relative_singular_values(tokens).mean(dim=0), rtol=1e-5)


def test_flattened_and_single_tokens_have_the_spectrum_of_the_whole_sample() -> None:
    network, parts = model().eval(), batches(30, 20)
    with Recorder(network, ["0"], matrices=["flattened", "single_token"]) as recorder:
        for part in parts:
            network(part)
    tokens = network[0](torch.cat(parts)).detach().double()
    recorded = recorder.recording()["0"]
    assert recorded.examples == {}
    assert recorded.flattened is not None
    assert recorded.flattened_centred is not None
    flat = tokens.flatten(1)
    for found, matrix in (
        (recorded.flattened, flat),
        (recorded.flattened_centred, flat - flat.mean(dim=0)),
        *zip(recorded.single_tokens, tokens.unbind(dim=1), strict=True),
    ):
        assert (found.num_rows, found.num_columns) == matrix.shape
        for name, value in all_measures(matrix, method="gram").items():
            assert found.measures[name] == pytest.approx(float(value), rel=1e-6), name


@pytest.mark.parametrize("matrices", ["flattened", ["flattened"], ["example", "flattened"]])
def test_outputs_without_tokens_are_one_matrix_of_all_examples(matrices: str | list[str]) -> None:
    network, rows = model().eval(), torch.randn(40, 5)
    with Recorder(network, ["0"], matrices=matrices) as recorder, torch.no_grad():
        network(rows[:25])
        network(rows[25:])
    recorded = recorder.recording()["0"]
    assert recorded.examples == {}
    assert recorded.flattened is not None
    assert recorded.flattened_centred is not None
    assert (recorded.flattened.num_rows, recorded.flattened.num_columns) == (40, 6)
    outputs = network[0](rows).detach().double()
    for found, matrix in ((recorded.flattened, outputs), (recorded.flattened_centred, outputs - outputs.mean(dim=0))):
        for name, value in all_measures(matrix, method="gram").items():
            assert found.measures[name] == pytest.approx(float(value), rel=1e-6), name


def test_each_position_of_a_feature_map_is_a_token() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, kernel_size=3))
    images = torch.randn(5, 3, 6, 7)
    with Recorder(network, ["0"], read_tokens=feature_map_tokens, keep_values=True) as recorder, torch.no_grad():
        maps = network(images)
    recorded = recorder.recording()["0"]
    assert (recorded.num_tokens, recorded.token_dim) == (4 * 5, 8)
    truth = all_measures(maps.flatten(2).mT)["stable_rank"]
    torch.testing.assert_close(recorder.values()["0"]["stable_rank"], truth)


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((4, 5), 'try matrices="flattened"'),
        ((2, 3, 4, 5), "try read_tokens=feature_map_tokens"),
        ((5,), "read_tokens="),
    ],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_outputs_of_other_shapes_are_refused_with_what_helps(shape: tuple[int, ...], advice: str) -> None:
    network = nn.Sequential(nn.Identity())
    with pytest.raises(SettingsError, match=re.escape(advice)), Recorder(network, ["0"]):
        network(torch.zeros(shape))


def test_points_may_be_given_as_modules_under_names_of_ones_own() -> None:
    network = model()
    with Recorder(network, {"hidden": network[1]}) as recorder:
        network(torch.randn(2, 4, 5))
    assert [point.point for point in recorder.recording().points] == ["hidden"]


def test_the_first_tensor_of_a_tuple_is_read_and_a_reader_may_say_otherwise() -> None:
    network = Doubling()
    tokens = torch.randn(3, 4, 5)
    with (
        Recorder(nn.Sequential(network), ["0"]) as plain,
        Recorder(
            nn.Sequential(network),
            ["0"],
            read_tokens=lambda output: output[0].transpose(0, 1),  # type: ignore[index]
        ) as swapped,
    ):
        network(tokens)
    assert plain.recording()["0"].num_examples == 3
    assert swapped.recording()["0"].num_examples == 4


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_exactly_as_it_was(training: bool) -> None:
    network, (part,) = model().train(training), batches(9)
    torch.manual_seed(7)
    expected = network(part)
    expected.sum().backward()
    gradients = [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]
    random_state = torch.get_rng_state()

    network.zero_grad()
    torch.manual_seed(7)
    with Recorder(network, ["0", "2", "3"], matrices=["example", "flattened", "single_token"]):
        output = network(part)
        output.sum().backward()
    assert torch.equal(output, expected)
    assert torch.equal(torch.get_rng_state(), random_state)
    for parameter, gradient in zip(network.parameters(), gradients, strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, gradient)
    assert network.training is training
    assert all(not module._forward_hooks for module in network.modules())


def test_hooks_are_gone_after_an_exception_too() -> None:
    network = model()
    with pytest.raises(ZeroDivisionError), Recorder(network, ["0", "1"]):
        raise ZeroDivisionError
    assert all(not module._forward_hooks for module in network.modules())


def test_outside_the_context_nothing_is_recorded_and_entering_again_goes_on() -> None:
    network, (part,) = model(), batches(5)
    recorder = Recorder(network, ["0"])
    for _ in range(2):
        with recorder:
            network(part)
        network(part)
    assert recorder.recording()["0"].num_examples == 10
    recorder.reset()
    assert recorder.recording()["0"].num_examples == 0


def test_entering_twice_at_once_is_an_error() -> None:
    recorder = Recorder(model(), ["0"])
    with recorder, pytest.raises(RankElastorError, match="already recording"):
        recorder.__enter__()


def test_examples_that_are_not_finite_are_counted_and_left_out() -> None:
    network, (part,) = nn.Sequential(nn.Identity()), batches(6)
    spoiled = part.clone()
    spoiled[1, 0, 0], spoiled[4, 2, 3] = torch.nan, torch.inf
    spoiled[5] = 0
    with Recorder(network, ["0"], matrices=["example", "flattened"]) as recorder:
        network(spoiled)
    recorded = recorder.recording()["0"]
    assert (recorded.num_examples, recorded.num_not_finite, recorded.num_zero) == (6, 2, 1)
    truth = all_measures(part[[0, 2, 3]])
    for name, found in recorded.examples.items():
        assert found.count == 3
        assert found.mean == pytest.approx(float(truth[name].mean()), rel=1e-5)
    assert recorded.flattened is not None
    assert recorded.flattened.num_rows == 4


def test_nothing_but_bad_examples_leaves_no_mean() -> None:
    network = nn.Sequential(nn.Identity())
    with Recorder(network, ["0"], matrices=["example", "flattened", "single_token"]) as recorder:
        network(torch.full((3, 4, 5), torch.nan))
    recorded = recorder.recording()["0"]
    assert recorded.num_not_finite == 3
    assert recorded.examples["stable_rank"].mean is None
    assert recorded.singular_values is None
    assert recorded.flattened is not None
    assert recorded.flattened.measures["stable_rank"] is None
    assert Recording.from_json(recorder.recording().to_json()) == recorder.recording()


def test_a_point_that_never_ran_has_no_examples() -> None:
    recorded = Recorder(model(), ["0"]).recording()["0"]
    assert (recorded.num_examples, recorded.num_tokens, recorded.max_possible_rank) == (0, None, None)
    assert recorded.examples == {}


@pytest.mark.parametrize("matrices", [["example"], ["example", "flattened", "single_token"]])
def test_a_recording_survives_json(matrices: list[str]) -> None:
    network = model()
    with Recorder(network, ["0", "3"], matrices=matrices) as recorder:
        network(batches(8)[0])
    assert Recording.from_json(recorder.recording().to_json()) == recorder.recording()


def test_values_are_kept_only_when_asked_for() -> None:
    network, parts = model().eval(), batches(5, 4)
    with (
        Recorder(network, ["0"], keep_values=True, measures=["stable_rank"]) as recorder,
        Recorder(network, ["0"]) as forgetful,
    ):
        for part in parts:
            network(part)
    values = recorder.values()["0"]
    assert list(values) == ["stable_rank"]
    truth = all_measures(network[0](torch.cat(parts)).detach())["stable_rank"]
    torch.testing.assert_close(values["stable_rank"], truth)
    with pytest.raises(SettingsError, match="try keep_values=True"):
        forgetful.values()


def test_a_few_examples_of_each_call_are_spaced_evenly() -> None:
    network = nn.Sequential(nn.Identity())
    tokens = torch.stack([torch.diag(torch.ones(5)) * (torch.arange(5) <= index) for index in (0, 1, 2, 3, 4)])
    with Recorder(network, ["0"], examples_per_call=3, keep_values=True) as recorder:
        network(tokens)
    assert recorder.values()["0"]["numerical_rank"].tolist() == [1, 3, 5]


def test_mixed_precision_activations_are_recorded() -> None:
    network = model().eval()
    with Recorder(network, ["0"]) as recorder, torch.autocast("cpu", dtype=torch.bfloat16):
        assert network(batches(4)[0]).dtype == torch.bfloat16
    mean = recorder.recording()["0"].examples["stable_rank"].mean
    assert mean is not None
    assert 1 <= mean <= 4


def test_an_unknown_point_is_an_error_that_lists_the_points() -> None:
    with pytest.raises(SettingsError, match="one of 0, 1, 2, 3, but 'block0' was given"):
        Recorder(model(), ["block0"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": []}, "at least one point"),
        ({"points": "0"}, r"try \['0'\]"),
        ({"points": ["0"], "matrices": ["rows"]}, "one of example, flattened, single_token, but 'rows'"),
        ({"points": ["0"], "measures": ["erank"]}, "one of stable_rank"),
        ({"points": ["0"], "num_bins": 0}, "num_bins must be at least 1"),
        ({"points": ["0"], "examples_per_call": 0}, "examples_per_call must be at least 1"),
    ],
)
def test_bad_settings_are_errors_before_anything_runs(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Recorder(model(), **arguments)  # type: ignore[arg-type]


@pytest.mark.usefixtures("without_shape_checks")
def test_outputs_that_are_no_token_matrices_are_an_error_and_leave_no_hook() -> None:
    network = model()
    with pytest.raises(SettingsError, match=r"\(batch, token, dim\), but \(4, 6\) was given"), Recorder(network, ["0"]):
        network(torch.zeros(4, 5))
    assert not network[0]._forward_hooks


def test_token_matrices_of_another_shape_are_an_error() -> None:
    network = model()
    with Recorder(network, ["0"]):
        network(torch.zeros(2, 4, 5))
        with pytest.raises(SettingsError, match="4 x 6 like the first ones, but 3 x 6"):
            network(torch.zeros(2, 3, 5))


def test_flattened_tokens_that_are_too_wide_are_an_error_with_the_memory_they_would_take() -> None:
    network = nn.Sequential(nn.Identity())
    recorder = Recorder(network, ["0"], matrices=["flattened"], max_flattened_dim=100)
    with (
        pytest.raises(SettingsError, match=r"at most max_flattened_dim = 100 columns, but point '0' has 4 \* 30"),
        recorder,
    ):
        network(torch.zeros(1, 4, 30))


def test_every_measure_is_recorded_unless_told() -> None:
    network = nn.Sequential(nn.Identity())
    with Recorder(network, ["0"]) as recorder:
        network(torch.eye(3).expand(2, 3, 3))
    assert {name: found.mean for name, found in recorder.recording()["0"].examples.items()} == pytest.approx(
        dict.fromkeys(MEASURES, 3.0)
    )
