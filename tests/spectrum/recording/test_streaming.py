"""Streaming statistics agree with statistics of all rows at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankelastor.spectrum.recording.running_gram import RunningGram
from rankelastor.spectrum.recording.statistics import Histogram
from rankelastor.spectrum.recording.streaming import RunningMeasures, RunningMoments


@settings(max_examples=30, deadline=None, derandomize=True)
@given(cuts=st.lists(st.integers(0, 50), max_size=5), offset=st.sampled_from([0.0, 1e6]))
def test_moments_do_not_depend_on_how_the_stream_is_cut(cuts: list[int], offset: float) -> None:
    rows = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + offset
    moments = RunningMoments(num_columns=3)
    for part in np.split(rows.numpy(), sorted(cuts)):
        moments.update(torch.from_numpy(part))
    assert moments.count == 50
    torch.testing.assert_close(moments.mean, rows.mean(dim=0))
    torch.testing.assert_close(moments.standard_deviation, rows.std(dim=0), rtol=1e-7, atol=0)


def test_a_tiny_spread_around_a_large_mean_survives() -> None:
    moments = RunningMoments(num_columns=1)
    for value in (1e6, 1e6 + 1e-4, 1e6 + 2e-4):
        moments.update(torch.tensor([[value]], dtype=torch.float64))
    assert float(moments.standard_deviation) == pytest.approx(1e-4, rel=1e-4)


def test_mean_interval_and_extremes_are_those_worked_out_by_hand() -> None:
    stream = RunningMeasures(("stable_rank",), max_possible_rank=5, num_bins=4)
    for values in ([1.0, 2.0], [3.0], []):
        stream.update(torch.tensor(values)[:, None])
    found = stream.statistics()["stable_rank"]
    assert (found.count, found.mean, found.standard_deviation) == (3, 2.0, 1.0)
    assert found.confidence_interval == pytest.approx((2 - 1.96 / 3**0.5, 2 + 1.96 / 3**0.5))
    assert (found.minimum, found.maximum) == (1.0, 3.0)
    assert found.histogram == Histogram(1.0, 5.0, (1, 1, 1, 0))


def test_values_at_both_ends_stay_in_the_outermost_bins() -> None:
    stream = RunningMeasures(("a", "b"), max_possible_rank=3, num_bins=2)
    stream.update(torch.tensor([[1 - 1e-7, 3.0], [3 + 1e-7, 2.0]]))
    assert [found.histogram.counts for found in stream.statistics().values()] == [(1, 1), (0, 2)]


def test_what_too_few_matrices_leave_undefined_is_none() -> None:
    stream = RunningMeasures(("a",), max_possible_rank=1, num_bins=3)
    assert stream.statistics()["a"].mean is None
    assert stream.statistics()["a"].minimum is None
    stream.update(torch.ones(1, 1))
    assert stream.statistics()["a"].mean == 1
    assert stream.statistics()["a"].confidence_interval is None


def test_a_density_integrates_to_one() -> None:
    histogram = Histogram(1.0, 7.0, (3, 4, 0, 1))
    assert sum(histogram.density) * 1.5 == pytest.approx(1)
    assert Histogram(1.0, 2.0, (0, 0)).density == (0, 0)


def test_a_running_gram_has_the_spectrum_of_the_whole_matrix() -> None:
    rows = torch.randn(40, 2, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 1
    gram = RunningGram(num_matrices=2, width=5, device=torch.device("cpu"))
    for part in rows.split(7):
        gram.update(part)
    for centred in (False, True):
        for index, found in enumerate(gram.measures(("stable_rank",), centred=centred, describe="matrix {index}")):
            matrix = rows[:, index] - rows[:, index].mean(dim=0) * centred
            values = torch.linalg.svdvals(matrix)
            assert found.matrix == f"matrix {index}"
            assert (found.num_rows, found.num_columns, found.max_possible_rank) == (40, 5, 5)
            np.testing.assert_allclose(found.singular_values, values / values[0], rtol=1e-9)
            assert found.measures == {"stable_rank": pytest.approx(float((values / values[0]).square().sum()))}


def test_equal_rows_have_no_centred_spectrum() -> None:
    gram = RunningGram(num_matrices=1, width=3, device=torch.device("cpu"))
    gram.update(torch.tensor([[0.1, 0.2, 0.3]]).expand(11, 1, 3))
    (found,) = gram.measures(("stable_rank",), centred=True, describe="rows")
    assert found.measures == {"stable_rank": None}
