import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankelastor.collectives.world import World
from rankelastor.config.training import OrderSettings, UniformOrder, WindowOrder
from rankelastor.data.encoded_rows import EncodedRows
from rankelastor.data.loading import loader as loader_module
from rankelastor.data.loading.gather import Columns, gather
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.loading.permutation import Places
from rankelastor.data.prepared import PreparedSplit
from rankelastor.data.shards import Shard, ShardWriter, open_shard, shard_path
from rankelastor.errors import RunError
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, NumericFeature

SCHEMA = FeatureSchema((CategoricalFeature("site", 1000), NumericFeature("age"), CategoricalFeature("user", 1000)))
NUM_ROWS = 103


def make_split(folder: Path, *, shard_rows: int) -> PreparedSplit:
    rows = np.arange(NUM_ROWS)
    writer = ShardWriter(folder, SCHEMA, num_rows=NUM_ROWS, shard_rows=shard_rows, has_group=True)
    ids = np.stack([rows, 2 * rows], axis=1).astype(np.int32)
    numbers, label = (rows / 2).astype(np.float32)[:, None], (rows % 2).astype(np.float32)
    writer.add(EncodedRows(ids, numbers, labels=label[:, None], group=10 * rows))
    writer.finish()
    shards = tuple(open_shard(shard_path(folder, index), SCHEMA) for index in range(writer.num_shards))
    return PreparedSplit("train", NUM_ROWS, shard_rows, shards, "abc")


@pytest.fixture(params=[NUM_ROWS, 10, 1])
def split(request: pytest.FixtureRequest, tmp_path: Path) -> PreparedSplit:
    return make_split(tmp_path / "train", shard_rows=request.param)


def split_in_memory(num_rows: int, shard_rows: int) -> PreparedSplit:
    rows = np.arange(num_rows, dtype=np.int32)
    shards = tuple(
        Shard(
            categorical=rows[start : start + shard_rows, None],
            numeric=np.empty((len(rows[start : start + shard_rows]), 0), dtype=np.float32),
            labels=(rows[start : start + shard_rows, None] % 2).astype(np.float32),
            group=None,
        )
        for start in range(0, num_rows, shard_rows)
    )
    return PreparedSplit("train", num_rows, shard_rows, shards, "abc")


def assert_identical(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        for field in fields(Batch):
            ours, theirs = getattr(one, field.name), getattr(other, field.name)
            assert (ours is None and theirs is None) or torch.equal(ours, theirs), field.name


WINDOW = WindowOrder(kind="window", block_rows=4, window_rows=20)


def row_numbers(batches: list[Batch]) -> list[int]:
    return [row for batch in batches for row in batch.categorical[:, 0].tolist()]


def test_without_shuffle_rows_come_in_order_and_the_last_batch_is_short(split: PreparedSplit) -> None:
    loader = BatchLoader(split, batch_size=25)
    batches = list(loader.epoch())
    assert [batch.num_examples for batch in batches] == [25, 25, 25, 25, 3]
    assert len(loader) == 5
    assert loader.num_rows == NUM_ROWS
    assert row_numbers(batches) == list(range(NUM_ROWS))


def test_the_cells_of_a_row_stay_together(split: PreparedSplit) -> None:
    for batch in BatchLoader(split, batch_size=16, shuffle=True, seed=3).epoch(2):
        row = batch.categorical[:, 0]
        assert torch.equal(batch.categorical[:, 1], 2 * row)
        assert torch.equal(batch.numeric[:, 0], row / 2)
        assert batch.labels is not None
        assert torch.equal(batch.labels, (row % 2).float()[:, None])
        assert batch.group is not None
        assert torch.equal(batch.group, 10 * row.long())
        assert (batch.categorical.dtype, batch.numeric.dtype) == (torch.int32, torch.float32)


def test_an_epoch_holds_every_row_once(split: PreparedSplit) -> None:
    rows = row_numbers(list(BatchLoader(split, batch_size=10, shuffle=True).epoch(1)))
    assert sorted(rows) == list(range(NUM_ROWS))
    assert rows != list(range(NUM_ROWS))


def test_the_order_is_a_function_of_seed_and_epoch_alone(tmp_path: Path) -> None:
    one = make_split(tmp_path / "one", shard_rows=NUM_ROWS)
    many = make_split(tmp_path / "many", shard_rows=7)
    loader = BatchLoader(one, batch_size=10, shuffle=True, seed=5)
    list(loader.epoch(0))
    second = row_numbers(list(loader.epoch(1)))
    fresh = BatchLoader(many, batch_size=33, shuffle=True, seed=5)
    assert row_numbers(list(fresh.epoch(1))) == second
    assert row_numbers(list(loader.epoch(0))) != second
    assert row_numbers(list(BatchLoader(one, batch_size=10, shuffle=True, seed=6).epoch(1))) != second


def test_batches_do_not_write_through_to_the_file(tmp_path: Path) -> None:
    split = make_split(tmp_path / "train", shard_rows=NUM_ROWS)
    before = shard_path(tmp_path / "train", 0).read_bytes()
    for batch in BatchLoader(split, batch_size=50).epoch():
        batch.categorical.zero_()
    assert row_numbers(list(BatchLoader(split, batch_size=50).epoch())) == list(range(NUM_ROWS))
    assert shard_path(tmp_path / "train", 0).read_bytes() == before


@settings(max_examples=60)
@given(
    num_rows=st.integers(1, 300),
    shard_rows=st.integers(1, 120),
    batch_size=st.integers(1, 60),
    size=st.integers(1, 5),
    order=st.sampled_from([UniformOrder(), WINDOW]),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**63 - 1),
)
def test_all_ranks_together_see_every_row_once(
    *, num_rows: int, shard_rows: int, batch_size: int, size: int, order: OrderSettings, shuffle: bool, seed: int
) -> None:
    split = split_in_memory(num_rows + size, shard_rows)
    ranks = [
        BatchLoader(
            split, batch_size=batch_size + size, shuffle=shuffle, order=order, seed=seed, world=World(size, rank)
        )
        for rank in range(size)
    ]
    epochs = [list(loader.epoch(3)) for loader in ranks]
    assert [len(batches) for batches in epochs] == [len(ranks[0])] * size
    assert all(batch.num_examples for batches in epochs for batch in batches[:-1])
    rows = [row for batches in epochs for row in row_numbers(batches)]
    assert sorted(rows) == list(range(num_rows + size))
    if not shuffle:
        assert all(row_numbers(batches) == sorted(row_numbers(batches)) for batches in epochs)


@pytest.mark.parametrize("order", [UniformOrder(), WINDOW], ids=["uniform", "window"])
def test_four_processes_learn_from_the_steps_of_one(order: OrderSettings) -> None:
    split = split_in_memory(160, 33)
    four = [BatchLoader(split, batch_size=18, shuffle=True, order=order, world=World(4, rank)) for rank in range(4)]
    alone = BatchLoader(split, batch_size=18, shuffle=True, order=order)
    steps = zip(*(loader.epoch(1) for loader in four), strict=True)
    assert [row_numbers(list(step)) for step in steps] == [row_numbers([batch]) for batch in alone.epoch(1)]


@pytest.mark.parametrize("rows_per_pass", [1, 30, 10**6])
def test_how_many_rows_are_gathered_together_changes_nothing(
    split: PreparedSplit, rows_per_pass: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = BatchLoader(split, batch_size=10, shuffle=True, seed=2)
    expected = list(loader.epoch(4))
    monkeypatch.setattr(loader_module, "ROWS_PER_PASS", rows_per_pass)
    assert_identical(list(loader.epoch(4)), expected)


@pytest.mark.parametrize(("pass_bytes", "largest"), [(1, 10), (29 * 24, 20), (30 * 24, 30), (10**9, NUM_ROWS)])
def test_wide_rows_are_gathered_in_smaller_passes(
    split: PreparedSplit, pass_bytes: int, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check the size of a pass: a row has 24 bytes (two ids, number, label, group), and a pass at least one batch."""
    loader = BatchLoader(split, batch_size=10, shuffle=True, seed=2)
    expected = list(loader.epoch(4))
    passes: list[int] = []

    def spy(given: PreparedSplit, rows: Places, stops: list[int]) -> Iterator[Columns]:
        passes.append(len(rows))
        return gather(given, rows, stops)

    monkeypatch.setattr(loader_module, "gather", spy)
    monkeypatch.setattr(loader_module, "PASS_BYTES", pass_bytes)
    assert_identical(list(loader.epoch(4)), expected)
    assert max(passes) == largest


def test_batches_are_copies_of_their_own(split: PreparedSplit) -> None:
    loader = BatchLoader(split, batch_size=10, shuffle=True)
    expected = list(loader.epoch())
    seen = []
    for batch in loader.epoch():
        seen.append(replace(batch, categorical=batch.categorical.clone()))
        batch.categorical.zero_()
    assert_identical(seen, expected)


@pytest.mark.parametrize("order", [None, UniformOrder(), WINDOW], ids=["as they stand", "uniform", "window"])
@pytest.mark.parametrize("done", [0, 1, 7, 11])
def test_the_rest_of_an_epoch_is_identical_after_restoring(
    split: PreparedSplit, order: OrderSettings | None, done: int
) -> None:
    def make() -> BatchLoader:
        return BatchLoader(split, batch_size=10, shuffle=order is not None, order=order, seed=8)

    whole = list(make().epoch(5))
    saved = json.dumps(make().state(epoch=5, batch=done))
    epoch, batch = make().restore(json.loads(saved))
    assert (epoch, batch) == (5, done)
    assert_identical(list(make().epoch(epoch, first_batch=batch)), whole[done:])


def test_restoring_reads_no_row_that_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def recording(split: PreparedSplit, rows: Places, stops: list[int]) -> Iterator[Columns]:
        asked.extend(rows.tolist())
        return gather(split, rows, stops)

    monkeypatch.setattr(loader_module, "gather", recording)
    loader = BatchLoader(split_in_memory(100_000, 100_000), batch_size=10, shuffle=True)
    assert row_numbers(list(loader.epoch(first_batch=9_999))) == asked
    assert len(asked) == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": {"fingerprint": "xyz"}}, "data was abc there and is xyz here"),
        ({"split": {"name": "valid"}}, "split was train there and is valid here"),
        ({"seed": 2}, "seed was 1 there and is 2 here"),
        ({"batch_size": 11}, "batch_size was 10 there and is 11 here"),
        ({"order": WINDOW}, "order was {'kind': 'uniform'} there and is {'kind': 'window', "),
        ({"shuffle": False}, "order was {'kind': 'uniform'} there and is None here"),
    ],
    ids=["data", "split", "seed", "batch size", "order", "no shuffling"],
)
def test_a_position_of_another_sequence_of_batches_is_refused(change: dict[str, Any], message: str) -> None:
    split = split_in_memory(100, 40)
    made: dict[str, Any] = {"batch_size": 10, "shuffle": True, "seed": 1}
    state = BatchLoader(split, **made).state(epoch=1, batch=2)
    other = replace(split, **change.pop("split", {}))
    with pytest.raises(RunError) as refused:
        BatchLoader(other, **(made | change)).restore(state)
    assert "a position must be restored where it was saved, but " in str(refused.value)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "place", [{"batch": 11}, {"batch": -1}, {"epoch": -1}, {"epoch": None}, {"batch": "2"}], ids=str
)
def test_a_position_outside_the_epoch_is_refused(place: dict[str, Any]) -> None:
    loader = BatchLoader(split_in_memory(100, 40), batch_size=10)
    with pytest.raises(RunError, match="a position must be an epoch and 0 to 10 batches done, but"):
        loader.restore(loader.state(epoch=1, batch=2) | place)


def test_the_same_position_serves_any_rank_of_any_number_of_processes() -> None:
    split = split_in_memory(100, 40)
    two, four = (BatchLoader(split, batch_size=10, world=World(size, 1)) for size in (2, 4))
    assert four.restore(two.state(epoch=2, batch=3)) == (2, 3)
    assert four.restore(two.state(epoch=2, batch=3) | {"world_size": 2}) == (2, 3)  # as former versions wrote it


def test_ranks_know_where_their_rows_lie_in_the_batch_of_all() -> None:
    split = split_in_memory(25, 40)
    ranks = [BatchLoader(split, batch_size=10, world=World(2, rank)) for rank in range(2)]
    assert [[loader.place_in(batch) for batch in range(3)] for loader in ranks] == [
        [(0, 5, 10), (0, 5, 10), (0, 2, 5)],
        [(5, 10, 10), (5, 10, 10), (2, 5, 5)],
    ]
    assert ranks[0].rows(0, 2) == ranks[1].rows(0, 2) == [20, 21, 22, 23, 24]


def test_a_batch_larger_than_the_data_holds_it_all(split: PreparedSplit) -> None:
    loader = BatchLoader(split, batch_size=1000, shuffle=True)
    assert [sorted(row_numbers([batch])) for batch in loader.epoch()] == [list(range(NUM_ROWS))]
