from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
import torch

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.raw.rows import RawRows, read_rows
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError

LINES = [
    "1,b,1,2024-05-01T10:00:00,NA",
    "0,a,,2024-05-04 23:59:00,x",
    "1,b,-7.5,,y",
    '0,"q ""u""\no",1e6,2024-05-05,',
]
TEXT = "click,site,age,time,tag\n" + "\n".join(LINES) + "\n"
FIELDS = [
    {"kind": "categorical", "column": "site"},
    {"kind": "numeric", "column": "age", "transform": "standardise", "blank": 3},
    {"kind": "calendar", "column": "time", "format": "iso"},
    {"kind": "categorical", "column": "tag", "blank": "padding"},
]


@pytest.fixture
def dataset(write_files: Callable[..., Path], settings_for: Callable[..., DataSettings]) -> PreparedDataset:
    write_files({"train.csv": TEXT, "valid.csv": TEXT})
    return prepare(settings_for({"fields": FIELDS, "csv": {"blanks": ["NA"]}}))


def test_encoding_the_train_rows_gives_what_preparing_gave(dataset: PreparedDataset, tmp_path: Path) -> None:
    encoder = RowEncoder.load(dataset.folder)
    (rows,) = read_rows(tmp_path / "raw" / "train.csv", encoder.csv, encoder.columns)
    batch = encoder.encode(rows)
    (prepared,) = BatchLoader(dataset.split("train"), batch_size=10).epoch()
    assert torch.equal(batch.categorical, prepared.categorical)
    assert torch.equal(batch.numeric, prepared.numeric)
    assert batch.labels is None
    assert batch.group is None
    assert batch.categorical[:, -1].tolist() == [0, 1, 2, 0]


def test_the_label_is_not_needed(dataset: PreparedDataset) -> None:
    assert RowEncoder.load(dataset.folder).columns == ("site", "age", "time", "tag")


def test_unknown_values_are_out_of_vocabulary(dataset: PreparedDataset) -> None:
    encoder = RowEncoder.load(dataset.folder)
    columns = {"site": ["never seen"], "age": [1.0], "time": ["2024-05-01"], "tag": ["new"]}
    batch = encoder.encode(RawRows(pa.RecordBatch.from_pydict(columns), Path("new.parquet")))
    last = [feature.num_ids - 1 for feature in encoder.schema.categorical]
    assert batch.categorical[0, 0] == last[0]
    assert batch.categorical[0, -1] == last[-1]


def test_a_missing_column_and_a_wrong_cell_are_named(dataset: PreparedDataset) -> None:
    encoder = RowEncoder.load(dataset.folder)
    columns = {"site": ["a", "a"], "age": ["1", "x"], "time": ["", ""], "tag": ["x", "y"]}
    with pytest.raises(DataError, match=r"new.csv, column 'age', row 2 must hold numbers, but 'x'"):
        encoder.encode(RawRows(pa.RecordBatch.from_pydict(columns), Path("new.csv")))
    del columns["tag"]
    with pytest.raises(DataError, match=r"new.csv must have the column 'tag'"):
        encoder.encode(RawRows(pa.RecordBatch.from_pydict(columns), Path("new.csv")))


def test_a_missing_vocabulary_is_named(dataset: PreparedDataset) -> None:
    (dataset.folder / "vocabulary" / "site.parquet").unlink()
    with pytest.raises(
        DataError,
        match=r"site.parquet must be whole, but there is no such file; run `rankelastor\.prepare\(.*force=True\)`",
    ):
        RowEncoder.load(dataset.folder)


def test_no_rows_are_an_empty_batch(dataset: PreparedDataset) -> None:
    columns = {name: pl.Series([], dtype=pl.String).to_arrow() for name in ("site", "age", "time", "tag")}
    batch = RowEncoder.load(dataset.folder).encode(RawRows(pa.RecordBatch.from_pydict(columns), Path("none.csv")))
    assert batch.categorical.shape == (0, 5)


@pytest.mark.parametrize("blank", ["value", "padding", "out_of_vocabulary"])
def test_a_field_that_shares_serves_blanks_as_they_were_prepared(
    write_files: Callable[..., Path], settings_for: Callable[..., DataSettings], tmp_path: Path, blank: str
) -> None:
    text = "click,item,other\n1,a,a\n0,,\n1,b,\n"
    write_files({"train.csv": text, "valid.csv": text})
    fields = [
        {"kind": "categorical", "column": "item", "blank": blank},
        {"kind": "categorical", "column": "other", "shares": "item"},
    ]
    dataset = prepare(settings_for({"fields": fields}))
    encoder = RowEncoder.load(dataset.folder)
    (rows,) = read_rows(tmp_path / "raw" / "train.csv", encoder.csv)
    (prepared,) = BatchLoader(dataset.split("train"), batch_size=10).epoch()
    assert torch.equal(encoder.encode(rows).categorical, prepared.categorical)


@pytest.mark.parametrize("separator", ["|", None])
def test_what_is_made_of_a_history_is_encoded_alike_in_preparing_and_serving(
    write_files: Callable[..., Path], settings_for: Callable[..., DataSettings], tmp_path: Path, separator: str | None
) -> None:
    items, lists = [7, 3, None, 3, 8], [[3, 7], [], [7], [3, 3, 8, 3], None]
    write_files({})
    columns: dict[str, object] = {"click": [1, 0, 1, 0, 1], "item": items, "past": lists}
    if separator is not None:
        columns["past"] = [None if each is None else separator.join(map(str, each)) for each in lists]
    for name in ("train", "valid"):
        frame = pl.DataFrame(columns)
        path = tmp_path / "raw" / name
        frame.write_csv(f"{path}.csv") if separator else frame.write_parquet(f"{path}.parquet")
    past = {"kind": "sequence", "column": "past", "separator": separator, "max_length": 3, "shares": "item"}
    fields = [past | {"last": 2, "matches": "item"}, {"kind": "categorical", "column": "item"}]
    suffix = "csv" if separator else "parquet"
    files = {"folder": str(tmp_path / "raw"), "train": f"train.{suffix}", "valid": f"valid.{suffix}"}
    dataset = prepare(settings_for({"fields": fields, "files": files}))
    encoder = RowEncoder.load(dataset.folder)
    assert encoder.columns == ("past", "item")
    (rows,) = read_rows(tmp_path / "raw" / f"train.{suffix}", encoder.csv, encoder.columns)
    batch = encoder.encode(rows)
    (prepared,) = BatchLoader(dataset.split("train"), batch_size=10).epoch()
    assert torch.equal(batch.categorical, prepared.categorical)
    assert batch.sequence is not None
    assert prepared.sequence is not None
    assert torch.equal(batch.sequence, prepared.sequence)
    names = [feature.name for feature in encoder.schema.categorical]
    assert names == ["past_last_1", "past_last_2", "past_times_seen", "past_steps_ago", "item"]
    # by count: 3 (two items, three elements) is 1, 7 is 2, then 8 and the blank
    seen, ago = batch.categorical[:, 2].tolist(), batch.categorical[:, 3].tolist()
    assert (seen, ago) == ([2, 0, 0, 3, 0], [2, 0, 0, 2, 0])
    assert batch.categorical[:, 0].tolist() == [2, 0, 2, 1, 0]
    assert batch.categorical[3, 1] == batch.categorical[4, 4]  # 8 in the list and 8 as an item


def test_last_elements_do_not_count_in_the_vocabulary(
    write_files: Callable[..., Path], settings_for: Callable[..., DataSettings], tmp_path: Path
) -> None:
    text = "click,item,past\n1,a,b|c\n0,a,\n1,b,c\n"
    write_files({"train.csv": text, "valid.csv": text})
    past = {"kind": "sequence", "column": "past", "separator": "|", "max_length": 3, "shares": "item"}
    vocabularies = []
    for last in (0, 2):
        fields = [{"kind": "categorical", "column": "item"}, past | {"last": last}]
        dataset = prepare(settings_for({"prepared": str(tmp_path / str(last)), "fields": fields}))
        vocabularies.append(RowEncoder.load(dataset.folder).vocabularies["item"])
    without, with_last = vocabularies
    assert without.values.to_list() == with_last.values.to_list()
    assert without.counts.tolist() == with_last.counts.tolist()
