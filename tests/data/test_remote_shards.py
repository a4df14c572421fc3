from pathlib import Path

import numpy as np
import pytest
import torch

from rankelastor.checksums import checksum_of_file
from rankelastor.config.training import WindowOrder
from rankelastor.data import remote_shards
from rankelastor.data.encoded_rows import EncodedRows
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.manifest import FileChecksum
from rankelastor.data.prepared import PreparedSplit
from rankelastor.data.remote_shards import RemoteShardFile, RemoteShards
from rankelastor.data.shards import ShardWriter, open_shard, shard_path
from rankelastor.remote.remote_path import RemotePath
from rankelastor.schema import CategoricalFeature, FeatureSchema, NumericFeature, SequenceFeature

SCHEMA = FeatureSchema(
    (CategoricalFeature("a", 50), NumericFeature("b"), SequenceFeature("c", 9, 3), CategoricalFeature("d", 5)),
    ("x", "y"),
)
NUM_ROWS, SHARD_ROWS = 250, 100


@pytest.fixture
def splits(bucket: RemotePath, tmp_path: Path) -> tuple[PreparedSplit, list[RemoteShardFile]]:
    """The same rows as mapped shards and as files of a bucket."""
    random = np.random.default_rng(0)
    rows = EncodedRows(
        categorical=random.integers(1, 5, (NUM_ROWS, 2), dtype=np.int32),
        numeric=random.standard_normal((NUM_ROWS, 1), dtype=np.float32),
        labels=random.integers(0, 2, (NUM_ROWS, 2)).astype(np.float32),
        group=np.arange(NUM_ROWS),
        sequence=random.integers(0, 9, (NUM_ROWS, 3), dtype=np.int32),
        weight=random.random(NUM_ROWS, dtype=np.float32),
    )
    folder = tmp_path / "train"
    writer = ShardWriter(folder, SCHEMA, num_rows=NUM_ROWS, shard_rows=SHARD_ROWS, has_group=True, has_weight=True)
    writer.add(rows)
    writer.finish()
    files, shards = [], []
    for index in range(writer.num_shards):
        local, remote = shard_path(folder, index), shard_path(bucket / "train", index)
        remote.upload(local)
        found = checksum_of_file(local)
        expected = FileChecksum(num_bytes=found.num_bytes, sha256=found.sha256)
        files.append(RemoteShardFile(remote, min(SHARD_ROWS, NUM_ROWS - index * SHARD_ROWS), expected, SCHEMA))
        shards.append(open_shard(local, SCHEMA))
    return PreparedSplit("train", NUM_ROWS, SHARD_ROWS, tuple(shards), "f"), files


def remote_split(shards: RemoteShards) -> PreparedSplit:
    return PreparedSplit("train", NUM_ROWS, shards.rows_each, shards, "f")


@pytest.mark.parametrize("all_fit", [True, False])
@pytest.mark.parametrize("shuffle", [True, False])
def test_batches_from_an_address_are_those_from_a_disk(
    all_fit: bool, shuffle: bool, splits: tuple[PreparedSplit, list[RemoteShardFile]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_shards, "BLOCK_ROWS", 20)
    here, files = splits
    shards = RemoteShards(files, most_bytes=1 << 30 if all_fit else 4000)
    assert (shards.all_fit, shards.rows_each, len(shards)) == ((True, 100, 3) if all_fit else (False, 20, 13))
    order = WindowOrder(kind="window", block_rows=10, window_rows=40)
    loaders = [
        BatchLoader(split, batch_size=32, shuffle=shuffle, order=order) for split in (here, remote_split(shards))
    ]
    for ours, theirs in zip(loaders[0].epoch(1), loaders[1].epoch(1), strict=True):
        for name in ("categorical", "numeric", "labels", "group", "sequence", "weight"):
            assert torch.equal(getattr(ours, name), getattr(theirs, name))


def test_only_the_rows_that_are_asked_for_are_read(
    splits: tuple[PreparedSplit, list[RemoteShardFile]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_shards, "BLOCK_ROWS", 20)
    here, files = splits
    asked: list[tuple[int, int]] = []
    read_rows = RemoteShardFile.read_rows

    def noted(self: RemoteShardFile, start: int, stop: int) -> object:
        asked.append((start, stop))
        return read_rows(self, start, stop)

    monkeypatch.setattr(RemoteShardFile, "read_rows", noted)
    shards = RemoteShards(files, most_bytes=1)
    assert np.array_equal(shards[6].categorical, here.shards[1].categorical[20:40])
    assert np.array_equal(shards[12].group if shards[12].group is not None else [], np.arange(240, 250))
    assert asked == [(20, 40), (40, 50), (40, 50)][: len(asked)]
    assert (20, 40) in asked


def test_no_more_is_kept_than_fits(
    splits: tuple[PreparedSplit, list[RemoteShardFile]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_shards, "BLOCK_ROWS", 20)
    shards = RemoteShards(splits[1], most_bytes=3 * 20 * 48)
    shards.prefetch(range(10))
    assert sorted(shards._kept) == [7, 8, 9]
    assert shards._kept_bytes <= shards.most_bytes
