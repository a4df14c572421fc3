from pathlib import Path

import numpy as np
import pytest
import torch

from rankelastor.data.loader import BatchLoader
from rankelastor.data.prepared import PreparedSplit
from rankelastor.data.shards import ShardWriter, open_shard, shard_path
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, NumericFeature

SCHEMA = FeatureSchema((CategoricalFeature("site", 1000), NumericFeature("age"), CategoricalFeature("user", 1000)))
NUM_ROWS = 103


def make_split(folder: Path, *, shard_rows: int) -> PreparedSplit:
    rows = np.arange(NUM_ROWS)
    writer = ShardWriter(folder, SCHEMA, num_rows=NUM_ROWS, shard_rows=shard_rows, has_group=True)
    ids = np.stack([rows, 2 * rows], axis=1).astype(np.int32)
    writer.add(ids, (rows / 2).astype(np.float32)[:, None], (rows % 2).astype(np.float32), 10 * rows)
    writer.finish()
    shards = tuple(open_shard(shard_path(folder, index), SCHEMA) for index in range(writer.num_shards))
    return PreparedSplit("train", NUM_ROWS, shard_rows, shards, "abc")


@pytest.fixture(params=[NUM_ROWS, 10, 1])
def split(request: pytest.FixtureRequest, tmp_path: Path) -> PreparedSplit:
    return make_split(tmp_path / "train", shard_rows=request.param)


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
        assert batch.label is not None
        assert torch.equal(batch.label, (row % 2).float())
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
