"""Whatever texts a table holds, ids map back to them."""

import csv
import io
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from rankelastor.config.data import DataSettings
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset

# Surrogates are no UTF-8, NUL is refused on purpose, and a lone carriage return is read as a line end.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=6)
TABLES = st.lists(st.tuples(TEXTS, TEXTS | st.sampled_from(["", '"', "a,b", "\n", "'", "NA", " x "])), max_size=12)


def prepared_texts(dataset: PreparedDataset) -> list[tuple[str | None, ...]]:
    vocabularies = RowEncoder.load(dataset.folder).vocabularies
    frame = dataset.frame("train")
    columns = [vocabularies[name].values_by_id().gather(frame[name].to_numpy()).to_list() for name in ("x", "y")]
    return list(zip(*columns, strict=True))


def prepare_file(folder: Path, name: str) -> PreparedDataset:
    (folder / "valid.csv").write_text("click,x,y\n1,a,b\n0,a,b\n")
    values = {
        "prepared": str(folder / "prepared"),
        "files": {"folder": str(folder), "train": name, "valid": "valid.csv"},
        "label": "click",
        "fields": [{"kind": "categorical", "column": ["x", "y"]}],
    }
    return prepare(DataSettings.model_validate(values))


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_any_csv_of_texts_survives(rows: list[tuple[str, str]]) -> None:
    rows = [*rows, ("a", "b"), ("a", "b")]
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("click", "x", "y"), *((index % 2, *row) for index, row in enumerate(rows))])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.csv").write_bytes(text.getvalue().encode())
        assert prepared_texts(prepare_file(Path(folder), "train.csv")) == rows


@settings(max_examples=20, deadline=None)
@given(TABLES)
def test_any_parquet_of_texts_survives(rows: list[tuple[str, str]]) -> None:
    rows = [*rows, ("a", "b"), ("a", "b")]
    table = pa.table(
        {
            "click": [index % 2 for index in range(len(rows))],
            "x": [row[0] for row in rows],
            "y": [row[1] for row in rows],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(table, Path(folder) / "train.parquet")
        assert prepared_texts(prepare_file(Path(folder), "train.parquet")) == rows
