from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rankelastor.data import shards as shards_module
from rankelastor.data.encoded_rows import EncodedRows
from rankelastor.data.shards import ShardWriter, limit_shard_rows, open_shard, shard_path
from rankelastor.errors import DataError
from rankelastor.schema import CategoricalFeature, FeatureSchema, NumericFeature, SequenceFeature

SCHEMA = FeatureSchema((CategoricalFeature("site", 9), NumericFeature("age"), CategoricalFeature("user", 9)))


def write(folder: Path, schema: FeatureSchema, num_rows: int, *, shard_rows: int, has_group: bool = True) -> int:
    writer = ShardWriter(folder, schema, num_rows=num_rows, shard_rows=shard_rows, has_group=has_group)
    for start in range(0, num_rows, 3):
        rows = np.arange(start, min(start + 3, num_rows))
        ids = np.repeat(rows.astype(np.int32)[:, None], len(schema.categorical), axis=1)
        numbers = np.repeat(rows.astype(np.float32)[:, None], len(schema.numeric), axis=1)
        label, group = (rows % 2).astype(np.float32), rows.astype(np.int64) if has_group else None
        writer.add(EncodedRows(ids, numbers, labels=label[:, None], group=group))
    writer.finish()
    return writer.num_shards


@pytest.mark.parametrize("shard_rows", [1, 2, 3, 7, 10, 11])
def test_rows_come_back_in_order_whatever_the_shard_size(tmp_path: Path, shard_rows: int) -> None:
    num_shards = write(tmp_path / "train", SCHEMA, 10, shard_rows=shard_rows)
    shards = [
        open_shard(shard_path(tmp_path / "train", index), SCHEMA, is_known_whole=True) for index in range(num_shards)
    ]
    assert [shard.num_rows for shard in shards[:-1]] == [shard_rows] * (num_shards - 1)
    ids = np.concatenate([shard.categorical for shard in shards])
    groups = np.concatenate([shard.group for shard in shards if shard.group is not None])
    assert ids.tolist() == [[row, row] for row in range(10)]
    assert groups.tolist() == list(range(10))
    assert np.concatenate([shard.numeric for shard in shards]).tolist() == [[float(row)] for row in range(10)]


@pytest.mark.parametrize(
    ("schema", "shapes"),
    [
        (FeatureSchema((NumericFeature("age"),)), ((4, 0), (4, 1))),
        (FeatureSchema((CategoricalFeature("site", 9),)), ((4, 1), (4, 0))),
    ],
)
def test_features_of_one_kind_alone_leave_the_other_empty(
    tmp_path: Path, schema: FeatureSchema, shapes: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    write(tmp_path / "train", schema, 4, shard_rows=4, has_group=False)
    shard = open_shard(shard_path(tmp_path / "train", 0), schema)
    assert (tuple(shard.categorical.shape), tuple(shard.numeric.shape)) == shapes
    assert shard.group is None


def test_a_shard_is_an_arrow_file_that_names_its_columns(tmp_path: Path) -> None:
    write(tmp_path / "train", SCHEMA, 4, shard_rows=4)
    with pa.memory_map(str(shard_path(tmp_path / "train", 0))) as file:
        table = pa.ipc.open_file(file).read_all()
    assert table.schema.names == ["categorical", "numeric", "label", "group"]
    assert table.schema.metadata[b"categorical"] == b'["site", "user"]'


@pytest.mark.parametrize("content", [b"", b"no arrow", b"ARROW1\0\0" + b"x" * 100])
def test_a_damaged_shard_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "part.arrow").write_bytes(content)
    with pytest.raises(DataError, match=r"part.arrow must be a shard of a prepared folder, but"):
        open_shard(tmp_path / "part.arrow", SCHEMA)


def test_a_shard_of_another_width_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "train", SCHEMA, 4, shard_rows=4)
    wider = FeatureSchema((*SCHEMA.features, CategoricalFeature("more", 3)))
    with pytest.raises(DataError, match=r"categorical has 8 cells for 4 rows of 3"):
        open_shard(shard_path(tmp_path / "train", 0), wider)


def test_a_shard_of_wide_rows_holds_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the bytes per row: 4 for the label, 8 for the group, and 4 per feature or position of a sequence."""
    wide = FeatureSchema((*SCHEMA.features, SequenceFeature("seen", 9, 97)))
    monkeypatch.setattr(shards_module, "SHARD_BYTES", 4_120)
    assert limit_shard_rows(wide, 500) == 10
    assert limit_shard_rows(wide, 7) == 7
    assert limit_shard_rows(FeatureSchema((SequenceFeature("seen", 9, 10_000),)), 7) == 1
