"""Tests of every kind of field from raw rows to ids, with values computed by hand."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from rankelastor.data.building import build as building
from rankelastor.data.building import staging
from rankelastor.data.cells.hashes import hashed_ids
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset, copy_feature_state
from rankelastor.data.raw.rows import read_rows
from rankelastor.data.raw.source_files import find_source_files
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError, SettingsError
from rankelastor.progress import SilentProgress
from rankelastor.schema import PretrainedVectors

WriteFiles = Callable[[dict[str, str | bytes]], Path]
SettingsFor = Callable[..., DataSettings]

ROWS = ["1,a,b^a,x|y,ip1,1,b", "0,b,,y,ip2,2,c", "1,a,c^b^a,,ip1,,a", "0,c,a,y||x,,4,a"]
TEXT = "click,item,seen,tags,ip,price,other\n" + "\n".join(ROWS) + "\n"
FIELDS: list[dict[str, Any]] = [
    {"kind": "sequence", "column": "seen", "separator": "^", "max_length": 2, "shares": "item"},
    {"kind": "categorical", "column": "item"},
    {"kind": "sequence", "column": "tags", "separator": "|", "max_length": 3, "min_count": 2},
    {"kind": "hashed", "column": "ip", "num_buckets": 10, "blank": "padding"},
    {"kind": "quantile", "column": "price", "num_buckets": 2},
    {"kind": "categorical", "column": "other", "shares": "item"},
]


@pytest.fixture
def dataset(write_files: WriteFiles, settings_for: SettingsFor) -> PreparedDataset:
    write_files({"train.csv": TEXT, "valid.csv": TEXT})
    return prepare(settings_for({"fields": FIELDS}))


def test_ids_are_those_worked_out_by_hand(dataset: PreparedDataset) -> None:
    """Check ids by counts: in the cut sequences and ``item``, ``a`` occurs 7 times, ``b`` 4 times, ``c`` twice."""
    frame = dataset.frame("train")
    assert frame["item"].to_list() == [1, 2, 1, 3]
    assert frame["seen"].to_list() == [[2, 1], [], [2, 1], [1]]
    assert frame["other"].to_list() == [2, 3, 1, 1]
    assert frame["tags"].to_list() == [[2, 1], [1], [], [1, 0, 2]]
    assert frame["price"].to_list() == [1, 2, 3, 2]
    vocabulary = pl.read_parquet(dataset.folder / "vocabulary" / "item.parquet")
    assert vocabulary.rows() == [("a", 7, 1), ("b", 4, 2), ("c", 2, 3)]


def test_hashed_ids_are_hashes(dataset: PreparedDataset) -> None:
    expected = hashed_ids(pl.Series(["ip1", "ip2", "ip1", ""]), num_buckets=10, blank="padding")
    assert dataset.frame("train")["ip"].to_list() == expected.tolist()
    assert expected[3] == 0


def test_the_schema_and_the_files_tell_what_is_shared(dataset: PreparedDataset) -> None:
    described = {feature.name: (feature.num_ids, feature.shares) for feature in dataset.schema.with_ids}
    assert described == {
        "item": (5, None),
        "ip": (12, None),
        "price": (5, None),
        "other": (5, "item"),
        "seen": (5, "item"),
        "tags": (4, None),
    }
    files = sorted(file.name for file in (dataset.folder / "vocabulary").iterdir())
    assert files == ["item.parquet", "tags.parquet"]


def test_batches_hold_the_sequences_side_by_side(dataset: PreparedDataset) -> None:
    (batch,) = BatchLoader(dataset.split("train"), batch_size=9).epoch()
    assert batch.sequence is not None
    assert batch.sequence.dtype == torch.int32
    assert batch.sequence.tolist() == [[2, 1, 0, 2, 1], [0, 0, 0, 0, 1], [2, 1, 0, 0, 0], [0, 1, 1, 0, 2]]
    parts = [part.sequence for part in BatchLoader(dataset.split("train"), batch_size=3, shuffle=True).epoch()]
    shuffled = torch.cat([part for part in parts if part is not None])
    assert sorted(shuffled.tolist()) == sorted(batch.sequence.tolist())


def test_new_rows_are_encoded_as_prepare_did(dataset: PreparedDataset, tmp_path: Path) -> None:
    copy_feature_state(dataset.folder, tmp_path / "state")
    encoder = RowEncoder.load(tmp_path / "state")
    (rows,) = read_rows(tmp_path / "raw" / "train.csv", encoder.csv, encoder.columns)
    batch = encoder.encode(rows)
    (prepared,) = BatchLoader(dataset.split("train"), batch_size=9).epoch()
    assert batch.sequence is not None
    assert prepared.sequence is not None
    assert torch.equal(batch.sequence, prepared.sequence)
    assert torch.equal(batch.categorical, prepared.categorical)


def test_parquet_lists_give_the_same_as_text(
    dataset: PreparedDataset, settings_for: SettingsFor, tmp_path: Path
) -> None:
    cells = [row.split(",") for row in ROWS]
    table = pa.table(
        {
            "click": [int(row[0]) for row in cells],
            "item": [row[1] for row in cells],
            "seen": pa.array([["b", "a"], None, ["c", "b", "a"], ["a"]]),
            "tags": pa.array([["x", "y"], ["y"], [], ["y", None, "x"]], pa.large_list(pa.string())),
            "ip": [row[4] or None for row in cells],
            "price": pa.array([1, 2, None, 4], pa.int16()),
            "other": [row[6] for row in cells],
        }
    )
    for name in ("train", "valid"):
        pq.write_table(table, tmp_path / "raw" / f"{name}.parquet", row_group_size=3)
    files = {"folder": str(tmp_path / "raw"), "train": "train.parquet", "valid": "valid.parquet"}
    fields = [field | ({"separator": None} if "separator" in field else {}) for field in FIELDS]
    other = prepare(settings_for({"files": files, "fields": fields, "prepared": str(tmp_path / "lists")}))
    assert other.frame("train").equals(dataset.frame("train"))


def test_one_file_split_in_three_keeps_lists_with_their_rows(
    write_files: WriteFiles, settings_for: SettingsFor
) -> None:
    rows = [f"{row % 2},i{row},i{row}^i{row + 1}" for row in range(40)]
    folder = write_files({"all.csv": "click,item,seen\n" + "\n".join(rows) + "\n"})
    fields = [{"kind": "categorical", "column": "item"}, FIELDS[0]]
    split = {"kind": "random", "valid": 0.3, "test": 0.2}
    values = {"files": {"folder": str(folder), "all": "all.csv"}, "split": split, "fields": fields, "shard_rows": 7}
    dataset = prepare(settings_for(values))
    known = RowEncoder.load(dataset.folder).vocabularies["item"].values_by_id()
    train = dataset.frame("train")
    assert train.height == 20
    for item, seen in zip(train["item"], train["seen"], strict=True):
        number = int(known[item][1:])
        assert [known[element] for element in seen] == [f"i{number}", f"i{number + 1}"]


def log_rows(seed: int) -> list[str]:
    rng = random.Random(seed)

    def some(separator: str) -> str:
        return separator.join(f"v{min(int(rng.paretovariate(1)), 30)}" for _ in range(rng.randint(0, 5)))

    return [
        f"{rng.randint(0, 1)},v{rng.randint(1, 30)},{some('^')},{some('|')},ip{rng.randint(0, 99)},{rng.gauss(0, 9)},v1"
        for _ in range(1500)
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_size_of_the_pieces_does_not_matter(
    write_files: WriteFiles, settings_for: SettingsFor, tmp_path: Path
) -> None:
    text = TEXT.splitlines()[0] + "\n" + "\n".join(log_rows(seed=3)) + "\n"
    write_files({"train.csv": text, "valid.csv": TEXT})
    settings = settings_for({"fields": FIELDS, "shard_rows": 400})
    results = []
    for read_bytes in (700, 1 << 20):
        folder = tmp_path / f"built-{read_bytes}"
        folder.mkdir()
        building.build(settings, find_source_files(settings.files), folder, SilentProgress(), read_bytes=read_bytes)
        results.append(contents(folder))
    assert results[0] == results[1]


def test_the_cells_staged_at_a_time_do_not_matter(
    write_files: WriteFiles, settings_for: SettingsFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TEXT.splitlines()[0] + "\n" + "\n".join(log_rows(seed=5)) + "\n"
    write_files({"train.csv": text, "valid.csv": TEXT})
    settings = settings_for({"fields": FIELDS})
    results: list[dict[str, bytes]] = []
    sizes: list[list[int]] = []
    columns = staging.StagedPart.columns

    def spy(part: staging.StagedPart) -> staging.StagedColumns:
        sizes[-1].append(part.num_rows)
        return columns(part)

    monkeypatch.setattr(staging.StagedPart, "columns", spy)
    for cells in (staging.CELLS_PER_PART, 1_000, 200):
        monkeypatch.setattr(staging, "CELLS_PER_PART", cells)
        folder = tmp_path / f"built-{cells}"
        folder.mkdir()
        sizes.append([])
        building.build(settings, find_source_files(settings.files), folder, SilentProgress())
        results.append(contents(folder))
    assert results[0] == results[1] == results[2]
    # Five positions of two sequences and four other features are nine cells per row.
    assert [max(of_run) for of_run in sizes] == [1500, 1_000 // 9, 200 // 9]


def test_a_mistake_past_the_first_part_is_named_by_its_row(
    write_files: WriteFiles, settings_for: SettingsFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files({"train.csv": TEXT + "2,a,b,x,ip1,1,b\n", "valid.csv": TEXT})
    monkeypatch.setattr(staging, "CELLS_PER_PART", 18)
    with pytest.raises(DataError, match=r"train.csv, column 'click', row 5: the label must"):
        prepare(settings_for({"fields": FIELDS}))


def test_the_order_of_files_and_rows_does_not_matter(write_files: WriteFiles, settings_for: SettingsFor) -> None:
    header, rows = TEXT.splitlines()[0] + "\n", log_rows(seed=4)
    write_files({"valid.csv": TEXT})
    frames, features = [], []
    for seed in range(2):
        random.Random(seed).shuffle(rows)
        write_files({f"train-{part}.csv": header + "\n".join(rows[part::3]) + "\n" for part in range(3)})
        files = {"folder": settings_for().files.folder, "train": "train-*.csv", "valid": "valid.csv"}
        dataset = prepare(settings_for({"fields": FIELDS, "files": files}))
        frames.append(dataset.frame("train").sort(pl.all()))
        features.append((dataset.manifest.features, contents(dataset.folder / "vocabulary")))
    assert frames[0].equals(frames[1])
    assert features[0] == features[1]


def test_unseen_elements_are_out_of_vocabulary_and_blank_ones_padding(dataset: PreparedDataset, tmp_path: Path) -> None:
    encoder = RowEncoder.load(dataset.folder)
    (tmp_path / "new.csv").write_text(TEXT.splitlines()[0] + "\n1,a,new^a,new||y,z,1e9,\n")
    (rows,) = read_rows(tmp_path / "new.csv", encoder.csv, encoder.columns)
    batch = encoder.encode(rows)
    assert batch.sequence is not None
    assert batch.sequence.tolist() == [[4, 1, 3, 0, 1]]
    assert batch.categorical[0, 2:].tolist() == [2, 4]


def test_a_mistaken_field_is_refused_with_the_file_and_column(
    dataset: PreparedDataset, settings_for: SettingsFor
) -> None:
    lists = [{"kind": "sequence", "column": "tags", "max_length": 3}]
    with pytest.raises(DataError, match=r"train.csv, column 'tags' must hold lists, but its type is string; set sep"):
        prepare(settings_for({"fields": lists}))
    chain = [*FIELDS, {"kind": "categorical", "column": "price", "name": "again", "shares": "other"}]
    with pytest.raises(SettingsError, match=r"'other' shares 'item'; try shares: item"):
        prepare(settings_for({"fields": chain}))


def with_vectors(**more: Any) -> list[dict[str, Any]]:
    vectors = {"file": "vectors.npz", **more}
    return [FIELDS[0], {"kind": "categorical", "column": "item", "pretrained": vectors}]


def test_pretrained_vectors_lie_in_the_prepared_folder_by_id(
    dataset: PreparedDataset, settings_for: SettingsFor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    np.savez(tmp_path / "raw" / "vectors.npz", key=np.array(["b", "a"]), value=np.array([[1, 2, 3], [4, 5, 6]]))
    settings = settings_for({"fields": with_vectors(trained=True)})
    first = prepare(settings)
    assert first.pretrained_vectors()["item"].tolist() == [[0, 0, 0], [4, 5, 6], [1, 2, 3], [0, 0, 0], [0, 0, 0]]
    assert first.schema.categorical[0].pretrained == PretrainedVectors(dim=3, trained=True)
    assert "1 of the 3 values of item have no vector in vectors.npz" in caplog.text
    np.savez(tmp_path / "raw" / "vectors.npz", key=np.array(["a"]), value=np.array([[7, 8, 9]]))
    second = prepare(settings)
    assert second.fingerprint != first.fingerprint
    assert second.pretrained_vectors()["item"][1].tolist() == [7, 8, 9]
    (second.folder / "vectors" / "item.npy").unlink()
    with pytest.raises(DataError, match=r"item.npy must be whole, but there is no such file; .*force=True"):
        PreparedDataset.open(second.folder)


def test_a_missing_file_of_vectors_is_named(dataset: PreparedDataset, settings_for: SettingsFor) -> None:
    with pytest.raises(DataError, match=r"pretrained.file must name a file, but .*raw/vectors.npz is not one"):
        prepare(settings_for({"fields": with_vectors()}))
