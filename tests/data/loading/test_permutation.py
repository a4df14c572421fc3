import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.loading.permutation import LARGEST_DRAWN, FeistelPermutation, permutation


def key(*numbers: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(numbers)


def feistel(num_items: int, seed: int) -> FeistelPermutation:
    return FeistelPermutation(num_items, np.random.default_rng(seed))


def chi_square(counts: np.ndarray) -> tuple[float, int]:
    """Compute the chi-square statistic against equal counts, and its degrees of freedom."""
    expected = counts.sum() / counts.size
    return float(((counts - expected) ** 2 / expected).sum()), counts.size - 1


def assert_uniform(counts: np.ndarray) -> None:
    """Check that chi-square is within 4.5 standard deviations of its mean; one uniform table in 100,000 fails."""
    statistic, freedom = chi_square(counts)
    assert statistic < freedom + 4.5 * np.sqrt(2 * freedom)


@given(st.integers(0, 300), st.integers(0, 2**64))
def test_a_drawn_permutation_is_one_to_one(num_items: int, seed: int) -> None:
    assert sorted(permutation(num_items, key(seed)).at(np.arange(num_items)).tolist()) == list(range(num_items))


@given(st.integers(2, 600), st.integers(0, 2**64))
def test_a_computed_permutation_is_one_to_one(num_items: int, seed: int) -> None:
    assert sorted(feistel(num_items, seed).at(np.arange(num_items)).tolist()) == list(range(num_items))


@pytest.mark.parametrize("num_items", [LARGEST_DRAWN, LARGEST_DRAWN + 1, 2_000_003])
def test_one_to_one_on_both_sides_of_the_border_too(num_items: int) -> None:
    items = permutation(num_items, key(7)).at(np.arange(num_items))
    assert (np.bincount(items, minlength=num_items) == 1).all()


@pytest.mark.parametrize("num_items", [1000, 3_000_000])
def test_any_piece_is_the_same_as_in_the_whole(num_items: int) -> None:
    shuffled = permutation(num_items, key(1, 2))
    whole = shuffled.at(np.arange(num_items))
    for places in (np.arange(500, 700), np.array([num_items - 1, 0, 17]), np.empty(0, dtype=np.int64)):
        assert shuffled.at(places).tolist() == whole[places].tolist()
        assert permutation(num_items, key(1, 2)).at(places).tolist() == whole[places].tolist()


def test_every_order_of_four_items_is_equally_likely_where_drawn() -> None:
    orders = Counter(tuple(permutation(4, key(0, draw)).at(np.arange(4)).tolist()) for draw in range(4800))
    assert len(orders) == 24
    assert_uniform(np.array(list(orders.values())))


def test_every_order_of_four_items_is_about_as_likely_where_computed() -> None:
    # The smallest network is the worst: by exact convolution over its 24 orders, the total variation distance to
    # uniform is .0013 after ten rounds, which 4,800 draws cannot tell from 0.
    orders = Counter(tuple(feistel(4, seed).at(np.arange(4)).tolist()) for seed in range(4800))
    assert len(orders) == 24
    assert_uniform(np.array(list(orders.values())))


@pytest.mark.parametrize(
    "places",
    [(0, 1), (0, 35), (0, 36), (500, 501), (1198, 1199)],
    ids=["same left digit", "same left digit, far", "same right digit", "middle", "end"],
)
def test_a_computed_permutation_puts_pairs_anywhere(places: tuple[int, int]) -> None:
    # 1,200 items are 25 fewer than 35 x 35 positions, so that some pass the network twice; 12 x 12 cells of pairs.
    pairs = np.array([feistel(1200, seed).at(np.array(places)) for seed in range(6000)])
    assert_uniform(np.bincount(pairs[:, 0] // 100 * 12 + pairs[:, 1] // 100, minlength=144))
    distances = (pairs[:, 1] - pairs[:, 0]) % 1200
    assert_uniform(np.bincount(distances // 50, minlength=24))


def test_a_computed_permutation_of_millions_looks_drawn() -> None:
    num_items = 3_000_000
    items = permutation(num_items, key(3)).at(np.arange(num_items))
    cells = items // 30_000
    assert_uniform(np.bincount(cells[:-1] * 100 + cells[1:], minlength=10_000))
    assert_uniform(np.bincount(np.arange(num_items) // 30_000 * 100 + cells, minlength=10_000))
    fixed = int((items == np.arange(num_items)).sum())
    ascents = float((items[1:] > items[:-1]).mean())
    assert fixed < 8  # Poisson with mean 1
    assert abs(ascents - 0.5) < 4.5 * np.sqrt(1 / 12 / num_items)


def test_a_billion_items_take_little_memory() -> None:
    tracemalloc.start()
    places = permutation(10**9, key(0)).at(np.arange(5 * 10**8, 5 * 10**8 + 4096))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(set(places.tolist())) == 4096
    assert 0 <= places.min() < places.max() < 10**9
    assert peak < 8e6
