import numpy as np
import pytest

from rankelastor.data_report.counts import IdCounts, NumberMoments, SequenceCounts, sample_rows


def test_ids_are_counted_over_pieces() -> None:
    counts = IdCounts(4)
    counts.add(np.array([1, 1, 3], dtype=np.int32), np.array([True, False, True]))
    counts.add(np.array([0, 1], dtype=np.int32), np.array([False, True]))
    counts.add(np.array([], dtype=np.int32), np.array([], dtype=bool))
    assert counts.rows.tolist() == [1, 3, 0, 1]
    assert counts.clicks.tolist() == [0, 2, 0, 1]
    assert counts.share(1) == 0.6


def test_padding_of_a_sequence_is_no_element() -> None:
    counts = SequenceCounts(4, max_length=2)
    counts.add(np.array([[0, 0], [0, 3], [1, 3]], dtype=np.int32), np.array([True, False, True]))
    assert counts.elements.rows.tolist() == [0, 1, 0, 2]
    assert counts.elements.clicks.tolist() == [0, 1, 0, 1]
    assert counts.lengths.rows.tolist() == [1, 1, 1]
    assert counts.lengths.clicks.tolist() == [1, 0, 1]


def test_moments_of_pieces_are_those_of_all_numbers() -> None:
    numbers = np.random.default_rng(2).normal(1e4, 3, 1000).astype(np.float32)
    numbers[::10] = 0.0
    moments = NumberMoments(blank=0.0)
    for piece in np.split(numbers, [1, 10, 500]):
        moments.add(piece)
    whole = numbers.astype(np.float64)
    assert moments.mean == pytest.approx(whole.mean(), rel=1e-12)
    assert moments.standard_deviation == pytest.approx(whole.std(), rel=1e-12)
    assert (moments.minimum, moments.maximum) == (whole.min(), whole.max())
    assert moments.num_at_blank == 100


def test_sampled_rows_are_one_of_each_stretch() -> None:
    rows = sample_rows(1003, 100)
    borders = np.arange(101) * 1003 // 100
    assert ((borders[:-1] <= rows) & (rows < borders[1:])).all()
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(rows, sample_rows(1003, 100))
