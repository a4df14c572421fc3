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
        match=r"site.parquet must be a readable vocabulary, .*run `rankelastor\.prepare\(recipe\.data, force=True\)`",
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
