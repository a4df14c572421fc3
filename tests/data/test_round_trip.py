"""Property tests: the ids of any texts map back to the texts."""

import csv
import io
import re
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.settings import DataSettings

# Surrogates are not UTF-8, NUL is refused on purpose, and a lone carriage return is read as a line end.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=6)


def spelled(text: str) -> str:
    """Spell a text by the rules of docs/use.md, each written out."""
    whole = re.fullmatch(r"(-?(?:0|[1-9][0-9]*))\.0+", text)
    if whole:
        return "0" if whole[1] == "-0" else whole[1]
    return text.lower() if text in {"True", "TRUE", "False", "FALSE"} else "" if not text.strip(" \t") else text


TABLES = st.lists(
    st.tuples(TEXTS, TEXTS | st.sampled_from(["", '"', "a,b", "\n", "'", "NA", " x ", "1.0", "TRUE", " "])), max_size=12
)


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
        expected = [(spelled(x), spelled(y)) for x, y in rows]
        assert prepared_texts(prepare_file(Path(folder), "train.csv")) == expected


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
        expected = [(spelled(x), spelled(y)) for x, y in rows]
        assert prepared_texts(prepare_file(Path(folder), "train.parquet")) == expected


LISTS = st.lists(st.tuples(TEXTS, st.lists(TEXTS, max_size=5)), max_size=10)


def prepare_lists(folder: Path, name: str, *, separator: str | None) -> PreparedDataset:
    shutil.copy(folder / name, folder / f"valid-{name}")
    lists = {"kind": "sequence", "column": "own", "separator": separator}
    values = {
        "prepared": str(folder / "prepared"),
        "files": {"folder": str(folder), "train": name, "valid": f"valid-{name}"},
        "label": "click",
        "fields": [
            {"kind": "categorical", "column": "x"},
            lists | {"max_length": 3},
            lists | {"max_length": 5, "name": "shared", "shares": "x"},
        ],
    }
    return prepare(DataSettings.model_validate(values))


def prepared_lists(dataset: PreparedDataset, name: str) -> list[list[str]]:
    """Map ids back to elements; blank ones are padding and become empty texts, except at the left end of a list."""
    known = RowEncoder.load(dataset.folder).vocabularies[name].values_by_id().to_list()
    return [[known[element] or "" for element in row] for row in dataset.frame("train")[name].to_list()]


def without_left_blanks(elements: list[str]) -> list[str]:
    return elements[next((place for place, element in enumerate(elements) if element), len(elements)) :]


def check_lists(dataset: PreparedDataset, rows: list[tuple[str, list[str]]]) -> None:
    rows = [(spelled(one), [spelled(element) for element in many]) for one, many in rows]
    assert prepared_lists(dataset, "own") == [without_left_blanks(row[1][-3:]) for row in rows]
    assert prepared_lists(dataset, "shared") == [without_left_blanks(row[1]) for row in rows]
    known = RowEncoder.load(dataset.folder).vocabularies["x"].values_by_id()
    assert known.gather(dataset.frame("train")["x"].to_numpy()).to_list() == [row[0] for row in rows]


@settings(max_examples=30, deadline=None)
@given(LISTS)
def test_any_parquet_of_lists_survives(rows: list[tuple[str, list[str]]]) -> None:
    rows = [*rows, ("a", ["b"]), ("a", [])]
    columns = {
        "click": [index % 2 for index in range(len(rows))],
        "x": [row[0] for row in rows],
        "own": pa.array([row[1] for row in rows], pa.list_(pa.string())),
    }
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table(columns), Path(folder) / "train.parquet")
        check_lists(prepare_lists(Path(folder), "train.parquet", separator=None), rows)


@settings(max_examples=30, deadline=None)
@given(LISTS)
def test_any_csv_of_separated_lists_survives(rows: list[tuple[str, list[str]]]) -> None:
    rows = [(one, [element.replace("^", "") for element in many]) for one, many in [*rows, ("a", ["b"]), ("a", [])]]
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(("click", "x", "own"))
    writer.writerows((index % 2, one, "^".join(many)) for index, (one, many) in enumerate(rows))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.csv").write_bytes(text.getvalue().encode())
        without_spaces = [(one, [element.strip(" \t") for element in many]) for one, many in rows]
        check_lists(prepare_lists(Path(folder), "train.csv", separator="^"), without_spaces)
