import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.config.training import OrderSettings, UniformOrder, WindowOrder
from rankelastor.data.loading.order import StoredOrder, epoch_order


def window(block_rows: int, window_rows: int) -> WindowOrder:
    return WindowOrder(kind="window", block_rows=block_rows, window_rows=window_rows)


ORDERS = st.one_of(st.just(UniformOrder()), st.builds(window, st.integers(1, 50), st.integers(1, 50)))


def whole(settings: OrderSettings, num_rows: int, *, seed: int = 0, epoch: int = 0) -> list[int]:
    rows: list[int] = epoch_order(settings, num_rows, seed=seed, epoch=epoch).rows(0, num_rows).tolist()
    return rows


@given(ORDERS, st.integers(1, 200), st.integers(0, 2**63 - 1), st.integers(0, 1000))
def test_an_epoch_holds_every_row_once(settings: OrderSettings, num_rows: int, seed: int, epoch: int) -> None:
    assert sorted(whole(settings, num_rows, seed=seed, epoch=epoch)) == list(range(num_rows))


@given(ORDERS, st.integers(1, 200), st.data())
def test_a_piece_is_the_same_however_it_is_reached(settings: OrderSettings, num_rows: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, num_rows))
    stop = data.draw(st.integers(start, num_rows))
    expected = whole(settings, num_rows, seed=4)[start:stop]
    assert epoch_order(settings, num_rows, seed=4, epoch=0).rows(start, stop).tolist() == expected


@pytest.mark.parametrize("settings", [UniformOrder(), window(3, 20)], ids=["uniform", "window"])
def test_seeds_and_epochs_give_other_orders(settings: OrderSettings) -> None:
    orders = {tuple(whole(settings, 60, seed=seed, epoch=epoch)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_without_shuffling_rows_stand_as_they_are() -> None:
    assert StoredOrder().rows(3, 6).tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    "settings",
    [UniformOrder(), window(5, 7), window(4, 8), window(30, 6)],
    ids=["uniform", "blocks are cut", "blocks fit", "one block"],
)
def test_every_row_is_equally_likely_at_every_place(settings: OrderSettings) -> None:
    num_rows, draws = 24, 4800
    counts = np.zeros((num_rows, num_rows))
    for epoch in range(draws):
        counts[np.arange(num_rows), whole(settings, num_rows, seed=9, epoch=epoch)] += 1
    expected = draws / num_rows
    statistic, freedom = float(((counts - expected) ** 2 / expected).sum()), (num_rows - 1) ** 2
    assert abs(statistic - freedom) < 4.5 * np.sqrt(2 * freedom)


def same_block_pairs(settings: OrderSettings, *, num_rows: int, batch: int, block: int) -> float:
    """Count the pairs of rows of one block per batch."""
    blocks = np.concatenate([whole(settings, num_rows, epoch=epoch) for epoch in range(10)]).reshape(-1, batch) // block
    return float(np.mean([((counts := np.bincount(row)) * (counts - 1) // 2).sum() for row in blocks]))


def test_windows_bring_rows_of_a_block_together_as_often_as_stated() -> None:
    sizes = {"num_rows": 20_000, "batch": 100, "block": 10}
    uniform = same_block_pairs(UniformOrder(), **sizes)
    assert uniform == pytest.approx(4950 * 9 / 19_999, rel=0.1)
    assert same_block_pairs(window(10, 2_000), **sizes) / uniform == pytest.approx(20_000 / 2_000, rel=0.1)
    assert same_block_pairs(window(10, 20_000), **sizes) / uniform == pytest.approx(1, rel=0.1)


def test_a_window_reads_few_blocks() -> None:
    order = epoch_order(window(1000, 20_000), 500_000, seed=1, epoch=1)
    for start in range(0, 500_000, 20_000):
        assert len(np.unique(order.rows(start, start + 20_000) // 1000)) <= 22
