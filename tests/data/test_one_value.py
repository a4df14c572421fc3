"""The same log, stored in another way, gives the same ids: of every kind of field, by every way in."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.raw.rows import RawRows, read_rows
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError

SPLIT = {"kind": "random", "valid": 0.2, "test": 0.2, "seed": 1}
CATEGORICAL = ({"kind": "categorical", "column": "user"},)


class Log:
    """A log in an empty folder, prepared as a recipe would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, columns: dict[str, Any], name: str = "log.parquet") -> Path:
        path = self.folder / name
        if path.suffix == ".parquet":
            pq.write_table(pa.table(columns), path)
        else:
            rows = zip(*columns.values(), strict=True)
            path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n")
        return path

    def prepare(
        self, columns: dict[str, Any], name: str = "log.parquet", *, fields: Sequence[Any] = CATEGORICAL, **changes: Any
    ) -> PreparedDataset:
        path = self.write(columns, name)
        values = {
            "prepared": str(self.folder / "prep"),
            "files": {"all": str(path)},
            "split": SPLIT,
            "label": "click",
            "fields": fields,
        }
        return prepare(DataSettings.model_validate(values | changes), force=True)

    def ids(self, cells: Any, name: str = "new.parquet") -> list[int]:
        """Encode new rows of the column user, as predict does."""
        encoder = RowEncoder.load(self.folder / "prep")
        path = self.write({"user": cells}, name)
        ids: list[int] = []
        for rows in read_rows(path, encoder.csv):
            ids += encoder.encode(rows).categorical[:, 0].tolist()
        return ids

    def vocabulary(self, field: str = "user") -> set[str]:
        return set(pl.read_parquet(self.folder / "prep" / "vocabulary" / f"{field}.parquet")["value"].to_list())


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


CLICKS = [0, 1, 1, 0] * 25
UNSEEN = 3


def test_long_ids_as_floats_are_the_integers_they_are(log: Log) -> None:
    log.prepare({"click": CLICKS, "user": [12345678901.0, 12345678902.0] * 50})
    assert log.vocabulary() == {"12345678901", "12345678902"}
    for kind in (pa.int64(), pa.uint64(), pa.float64()):
        assert sorted(log.ids(pa.array([12345678901, 12345678902], pa.int64()).cast(kind))) == [1, 2]
    assert sorted(log.ids([12345678901, 12345678902], "new.csv")) == [1, 2]


@pytest.mark.parametrize(
    ("kind", "number"), [(pa.float64(), 2.0**53), (pa.float32(), 2.0**24), (pa.float16(), 2.0**11)], ids=str
)
def test_ids_that_their_type_rounds_are_refused(log: Log, kind: pa.DataType, number: float) -> None:
    message = rf"row 100 must hold whole numbers below 2\^\d+, since .* but {number:.0f} was given; write the column as"
    with pytest.raises(DataError, match=message):
        log.prepare({"click": CLICKS, "user": pa.array([*[1.0] * 99, number]).cast(kind)})


def test_a_whole_number_is_one_value_with_and_without_its_point(log: Log) -> None:
    log.prepare({"click": CLICKS, "user": ["12.0", "13.0"] * 50}, "log.csv")
    assert log.vocabulary() == {"12", "13"}
    known = log.ids(["12.0", "13.0"], "new.csv")
    assert sorted(known) == [1, 2]
    assert log.ids([12, 13], "new.csv") == known
    for kind in (pa.float64(), pa.float16(), pa.int8(), pa.decimal128(9, 2)):
        assert log.ids(pa.array([12, 13], pa.int16()).cast(kind)) == known


def test_decimals_are_one_value_whatever_their_scale(log: Log) -> None:
    log.prepare({"click": CLICKS, "user": pa.array([Decimal(8), Decimal(9)] * 50, pa.decimal128(20, 2))})
    assert log.vocabulary() == {"8", "9"}
    assert sorted(log.ids(pa.array([8, 9]))) == [1, 2]
    assert sorted(log.ids(["8.00", "9"], "new.csv")) == [1, 2]


@pytest.mark.parametrize("written", [["True", "False"], ["TRUE", "FALSE"], ["true", "false"]])
def test_truth_values_are_one_value_as_text_and_typed(log: Log, written: list[str]) -> None:
    log.prepare({"click": CLICKS, "user": written * 50}, "log.csv")
    assert log.vocabulary() == {"true", "false"}
    assert log.ids([True, False]) == log.ids(written, "new.csv") == log.ids(["true", "false"])


def test_minus_zero_is_zero(log: Log) -> None:
    log.prepare({"click": CLICKS, "user": [-0.0, 0.0] * 50})
    assert log.vocabulary() == {"0"}
    log.prepare({"click": CLICKS, "user": ["-0.0", "0.0"] * 50}, "log.csv")
    assert log.vocabulary() == {"0"}


def test_versions_hex_ids_and_postal_codes_stay_what_they_are(log: Log) -> None:
    texts = ["1.10", "1.1", "0e123456", "0e12345600", "00123", "123"]
    log.prepare({"click": [0, 1] * 60, "user": texts * 20}, "log.csv")
    assert log.vocabulary() == set(texts)


def test_texts_stay_as_they_are_written_where_the_field_says_so(log: Log) -> None:
    field = {"kind": "categorical", "column": "user", "text": "as_written"}
    log.prepare({"click": CLICKS, "user": ["12.0", "12", "True", "true"] * 25}, "log.csv", fields=[field])
    assert log.vocabulary() == {"12.0", "12", "True", "true"}
    assert len(set(log.ids(["12.0", "12", "True", "true"]))) == 4


def test_typed_nan_null_and_a_blank_cell_are_one_blank(log: Log) -> None:
    field = {"kind": "categorical", "column": "user", "blank": "out_of_vocabulary"}
    log.prepare({"click": CLICKS, "user": [1.0, float("nan"), None, 2.0] * 25}, fields=[field])
    assert log.vocabulary() == {"1", "2"}
    assert log.ids([float("nan"), None, 7.0]) == [UNSEEN] * 3
    assert log.ids([" ", "\t"], "new.csv") == [UNSEEN] * 2
    log.prepare({"click": CLICKS, "user": [1.0, float("nan"), None, 2.0] * 25})
    assert log.vocabulary() == {"1", "2", ""}


def test_names_of_missing_values_are_values_with_a_warning(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    columns = {"click": CLICKS, "user": ["NA", "DE", "None", "nan"] * 25}
    with caplog.at_level(logging.WARNING):
        log.prepare(columns, "log.csv")
    assert log.vocabulary() == {"NA", "DE", "None", "nan"}
    for name in ("NA", "None", "nan"):
        assert f"column user holds the text {name}, which is a value like any other" in caplog.text
    assert "text DE" not in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        log.prepare(columns, "log.csv", csv={"blanks": ["NA", "None", "nan"]})
    assert log.vocabulary() == {"DE", ""}
    assert not caplog.text


def test_spaces_around_categories_are_warned_of(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        log.prepare({"click": CLICKS, "user": ["u1", " u1", "u2", "u2"] * 25}, "log.csv")
    assert "column user holds texts with spaces around them, such as ' u1'" in caplog.text
    assert log.vocabulary() == {"u1", " u1", "u2"}
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        hashed = {"kind": "hashed", "column": "user", "num_buckets": 9}
        log.prepare({"click": CLICKS, "user": ["u1", " u1", "NA", "u2"] * 25}, "log.csv", fields=[hashed])
    assert caplog.text.count("with spaces around them") == caplog.text.count("holds the text NA") == 1


@pytest.mark.parametrize("kind", ["numeric", "quantile"])
def test_nan_in_parquet_is_a_blank_number(log: Log, kind: str) -> None:
    field: dict[str, Any] = {"kind": kind, "column": "price"}
    if kind == "quantile":
        field |= {"num_buckets": 2}
    columns = {"click": CLICKS, "user": ["a"] * 100, "price": [1.0, float("nan"), None, 3.0] * 25}
    typed = log.prepare(columns, fields=[*CATEGORICAL, field]).frame("train")["price"].to_list()
    columns["price"] = ["1.0", "", " ", "3"] * 25
    assert log.prepare(columns, "log.csv", fields=[*CATEGORICAL, field]).frame("train")["price"].to_list() == typed
    assert len(set(typed)) == 3


def test_durations_are_numbers_only_in_a_unit(log: Log) -> None:
    seconds = [dt.timedelta(seconds=number) for number in range(100)]
    columns = {"click": CLICKS, "price": pa.array(seconds, pa.duration("us"))}
    with pytest.raises(DataError, match=r"column 'price' must hold numbers, but its type is duration\[us\]; set unit"):
        log.prepare(columns, fields=[{"kind": "numeric", "column": "price"}])
    field = {"kind": "numeric", "column": "price", "unit": "seconds"}
    (spec,) = log.prepare(columns, fields=[field]).manifest.numeric
    largest = spec.statistics.maximum  # type: ignore[attr-defined] # numeric
    assert 90 <= largest <= 99


@pytest.mark.parametrize("name", ["log.parquet", "log.csv"])
def test_infinite_numbers_are_clipped_to_those_of_train(log: Log, name: str) -> None:
    columns = {"click": CLICKS, "price": [1.0, 5.0, float("inf"), float("-inf")] * 25}
    field = {"kind": "numeric", "column": "price", "infinite": "clip", "transform": "min_max"}
    frame = log.prepare(columns, name, fields=[field]).frame("train")
    assert set(frame["price"].to_list()) == {0.0, 1.0}
    with pytest.raises(DataError, match=r"row 3 must hold finite numbers, but '?inf'? was given; try infinite: clip"):
        log.prepare(columns, name, fields=[field | {"infinite": "refuse"}])
    buckets = {"kind": "quantile", "column": "price", "infinite": "clip", "num_buckets": 5}
    frame = log.prepare(columns, name, fields=[buckets]).frame("train")
    assert sorted(frame["price"].value_counts()["price"].to_list()) == [1, 2]


def newest_of_train(log: Log) -> str:
    return max(log.vocabulary() - {""})


TIME = {"kind": "time", "column": "t", "valid": 0.2, "test": 0.2}
DAYS = {
    "click": [index % 2 for index in range(100)],
    "user": [f"d{index:03d}" for index in range(100)],
    "t": [f"{1 + index % 28:02d}/{1 + index // 28:02d}/2024" for index in range(100)],
}


def test_days_written_first_need_a_format(log: Log) -> None:
    with pytest.raises(DataError, match=r"row 1 must hold times as iso .*'01/01/2024' was given; .*data.split.format"):
        log.prepare(DAYS, "log.csv", split=TIME)
    log.prepare(DAYS, "log.csv", split=TIME | {"format": "%d/%m/%Y"})
    assert newest_of_train(log) == "d059"


def test_decimals_beyond_a_float_are_ordered_exactly_in_their_unit(log: Log) -> None:
    shuffled = [(place * 37) % 100 for place in range(100)]
    columns = {
        "click": [index % 2 for index in shuffled],
        "user": [f"d{index:03d}" for index in shuffled],
        "t": [f"1700000000.{index:09d}" for index in shuffled],
    }
    with pytest.raises(DataError, match=r"must hold times of at most 15 digits, .*data.split.format: epoch_seconds"):
        log.prepare(columns, "log.csv", split=TIME)
    log.prepare(columns, "log.csv", split=TIME | {"format": "epoch_seconds"})
    assert newest_of_train(log) == "d059"


def test_twelve_hours_are_refused_without_a_format(log: Log) -> None:
    columns = DAYS | {"t": ["2024-01-01 01:00 PM", "2024-01-01 01:00 AM"] * 50}
    with pytest.raises(DataError, match=r"row 1 must hold times as iso"):
        log.prepare(columns, "log.csv", split=TIME)


@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
def test_a_split_by_dates_cuts_there(log: Log, name: str) -> None:
    days = [dt.date(2024, 4, 1) + dt.timedelta(days=index) for index in range(100)]
    split = {"kind": "time", "column": "t", "valid_from": dt.date(2024, 5, 1), "test_from": "2024-06-01"}
    dataset = log.prepare(DAYS | {"t": days}, name, split=split)
    assert [dataset.manifest.splits[name].num_rows for name in ("train", "valid", "test")] == [30, 31, 39]
    assert newest_of_train(log) == "d029"
    dataset = log.prepare(DAYS | {"t": days}, name, split=split | {"test_from": None})
    assert list(dataset.manifest.splits) == ["train", "valid"]
    with pytest.raises(DataError, match=r"the split test must hold rows, but no row lies in its time"):
        log.prepare(DAYS | {"t": days}, name, split=split | {"test_from": "2025-01-01"})


def test_labels_may_have_spaces(log: Log) -> None:
    dataset = log.prepare({"click": ["0", " 1 "] * 50, "user": [" u1", "u2"] * 50}, "log.csv")
    assert 0 < dataset.manifest.splits["train"].label_mean < 1


def test_groups_and_shared_elements_have_one_spelling(log: Log) -> None:
    columns = {"click": CLICKS, "user": [1.0, 2.0, 1.0, 2.0] * 25, "g": [1.0, 2.0, float("nan"), 1.0] * 25}
    fields = [*CATEGORICAL, {"kind": "group", "column": "g"}]
    assert log.prepare(columns, fields=fields).frame("train")["group:g"].n_unique() == 3
    text = {"click": CLICKS, "user": ["1", "2", "1.0", "2"] * 25, "g": ["1", "2", "", "1.0"] * 25}
    assert log.prepare(text, "log.csv", fields=fields).frame("train")["group:g"].n_unique() == 3


def test_keys_of_vectors_are_spelled_as_the_values_are(log: Log) -> None:
    np.save(log.folder / "v.npy", np.eye(2, dtype=np.float32))
    (log.folder / "keys.txt").write_text("8.0\n9\n")
    pretrained = {"file": "v.npy", "keys": "keys.txt"}
    fields = [{"kind": "categorical", "column": "user", "pretrained": pretrained}]
    columns = {"click": CLICKS, "user": pa.array([Decimal(8), Decimal(9)] * 50, pa.decimal128(20, 2))}
    files = {"folder": str(log.folder), "all": "log.parquet"}
    (spec,) = log.prepare(columns, fields=fields, files=files).manifest.features
    assert spec.vectors is not None
    assert spec.vectors.num_without_vector == 0


WAYS: dict[str, Callable[[list[int]], Any]] = {
    "text": lambda values: pa.array([str(value) for value in values]),
    "text of floats": lambda values: pa.array([f"{value}.0" for value in values]),
    "large text": lambda values: pa.array([str(value) for value in values], pa.large_string()),
    "encoded text": lambda values: pa.array([str(value) for value in values]).dictionary_encode(),
    "encoded integers": lambda values: pa.array(values).dictionary_encode(),
    "int32": lambda values: pa.array(values, pa.int32()),
    "float64": lambda values: pa.array([float(value) for value in values]),
    "float32": lambda values: pa.array([float(value) for value in values], pa.float32()),
    "decimal": lambda values: pa.array([Decimal(value) for value in values], pa.decimal128(20, 3)),
    "polars": lambda values: pl.Series(values, dtype=pl.Int16).to_arrow(),
    "polars categories": lambda values: pl.Series(map(str, values), dtype=pl.Categorical).to_arrow(),
    "polars enum": lambda values: pl.Series(
        list(map(str, values)), dtype=pl.Enum(sorted(set(map(str, values))))
    ).to_arrow(),
}
KINDS: list[dict[str, Any]] = [
    {"kind": "categorical", "column": "x"},
    {"kind": "hashed", "column": "x", "num_buckets": 1000, "name": "hashed"},
    {"kind": "numeric", "column": "x", "name": "number"},
    {"kind": "quantile", "column": "x", "num_buckets": 3, "name": "bucket"},
    {"kind": "sequence", "column": "x", "separator": "^", "max_length": 2, "name": "list"},
]


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=3, max_size=6, unique=True))
def test_any_whole_number_has_one_id_however_it_is_stored(log: Log, values: list[int]) -> None:
    known = values[:-1]  # the last value is unseen
    log.prepare(
        {"click": [0, 1] * (20 * len(known)), "x": [str(value) for value in known for _ in range(40)]},
        "log.csv",
        fields=KINDS,
    )
    encoder = RowEncoder.load(log.folder / "prep")

    def encoded(cells: Any) -> list[Any]:
        batch = encoder.encode(RawRows(pa.RecordBatch.from_arrays([cells], names=["x"]), Path("frame")))
        assert batch.sequence is not None
        return [part.tolist() for part in (batch.categorical, batch.numeric, batch.sequence)]

    expected = encoded(WAYS["text"](values))
    assert len({row[0] for row in expected[0]}) == len(values)
    for way, store in WAYS.items():
        assert encoded(store(values)) == expected, way


def make_version_1(folder: Path) -> None:
    """Turn a prepared folder whose texts are as written into one of format version 1, which had no rules for texts."""
    values = json.loads((folder / "schema.json").read_text())
    values["format_version"] = 1
    del values["checksums"], values["digest"]
    for entry in (*values["features"], *values["settings"]["fields"], values["csv"]):
        for name in ("text", "unit", "infinite", "decimal", "thousands"):
            entry.pop(name, None)
    (folder / "schema.json").write_text(json.dumps(values))


def test_a_folder_of_version_1_reads_rows_as_it_did(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    as_written = {"kind": "categorical", "column": "user", "text": "as_written"}
    columns = {"click": CLICKS, "user": ["12.0", "13.0", "true", "1e+10"] * 25}
    log.prepare(columns, "log.csv", fields=[as_written])
    make_version_1(log.folder / "prep")
    known = log.ids(["12.0", "13.0", "true", "1e+10"], "new.csv")
    assert sorted(known) == [1, 2, 3, 4]
    unseen = 5
    assert log.ids(["12", "True", "10000000000"], "new.csv") == [unseen] * 3
    assert log.ids([12.0, 1e10]) == [unseen, known[3]]  # as Arrow wrote floats
    assert log.ids(pa.array([Decimal("12.0"), Decimal("13.0")])) == known[:2]
    path = log.folder / "log.csv"
    values = {"prepared": str(log.folder / "prep"), "files": {"all": str(path)}, "split": SPLIT, "label": "click"}
    with caplog.at_level(logging.WARNING):
        dataset = prepare(DataSettings.model_validate(values | {"fields": CATEGORICAL}))
    assert dataset.manifest.format_version == 1
    assert "has format version 1, in which one value may have several spellings" in caplog.text


def test_a_log_of_another_country_is_read(log: Log) -> None:
    rows = "".join(f"{number % 2},0; {number}.000,50 ;u;1,5\n" for number in range(1, 101))
    (log.folder / "log.csv").write_text("click;price;user;w\n" + rows)
    values = {
        "prepared": str(log.folder / "prep"),
        "files": {"all": str(log.folder / "log.csv")},
        "split": SPLIT,
        "label": "click",
        "weight": "w",
        "fields": [*CATEGORICAL, {"kind": "numeric", "column": "price"}],
        "csv": {"delimiter": ";", "decimal": ",", "thousands": "."},
    }
    frame = prepare(DataSettings.model_validate(values)).frame("train")
    assert set(frame["weight:w"].to_list()) == {1.5}
    assert {price % 1000 for price in frame["price"].to_list()} == {0.5}
    encoder = RowEncoder.load(log.folder / "prep")
    rows_of_parquet = RawRows(pa.RecordBatch.from_pydict({"user": ["u"], "price": [1000.5]}), Path("new.parquet"))
    assert encoder.encode(rows_of_parquet).numeric.tolist() == [[1000.5]]


def test_lists_of_python_in_csv_are_those_of_parquet(log: Log) -> None:
    fields = [{"kind": "sequence", "column": "h", "separator": "json", "max_length": 4}]
    lists = [[1, 2], [3], [], [2, 1, 3]] * 25
    text = "".join(f'{click},"{cells}"\n' for click, cells in zip(CLICKS, lists, strict=True))
    (log.folder / "text.csv").write_text("click,h\n" + text)
    values = {"prepared": str(log.folder / "prep"), "split": SPLIT, "label": "click"}
    files = {"all": str(log.folder / "text.csv")}
    written = prepare(DataSettings.model_validate(values | {"files": files, "fields": fields})).frame("train")
    typed = log.prepare({"click": CLICKS, "h": lists}, fields=[fields[0] | {"separator": None}]).frame("train")
    assert written["h"].to_list() == typed["h"].to_list()
    assert log.vocabulary("h") == {"1", "2", "3"}
