"""The reference encoder, one file of the standard library alone, gives the ids and numbers that our encoder gives."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils import murmurhash3_32 as sklearn_hash
from tests.export.every_kind import TEXTS, TYPED, encoder_of_every_kind

from rankelastor.data.cells import calendar_parts, numbers
from rankelastor.data.cells.time_formats import EXAMPLES, parse_times
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.features.transform import transform_numbers
from rankelastor.data.kinds.catalogue import KINDS
from rankelastor.data.kinds.cells import Numbering
from rankelastor.data.kinds.spec import FeatureSpec
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError
from rankelastor.export import reference_encoder
from rankelastor.export.encoding import encoding_of, write_encoder
from rankelastor.export.reference_encoder import Encoder, EncodingError, murmurhash3_32, parse_time

REFUSED = "refused"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> RowEncoder:
    return encoder_of_every_kind(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def reference(encoder: RowEncoder) -> Encoder:
    return Encoder(json.loads(json.dumps(encoding_of(encoder), allow_nan=False)))


@pytest.fixture
def without_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what messages advise, which takes most of the time of a refusal."""
    monkeypatch.setattr(calendar_parts, "_advise", str)
    monkeypatch.setattr(numbers, "advise_on_number", str)


def by_ours(encoder: RowEncoder, spec: FeatureSpec, columns: dict[str, list[Any]]) -> Any:
    """Encode one feature of some rows; ``REFUSED`` if a cell is wrong."""
    vocabulary = encoder.vocabularies.get(spec.name)
    numbering = Numbering.none() if vocabulary is None else Numbering(vocabulary.ids, once_per_text=True)
    try:
        rows = RawRows(pa.RecordBatch.from_pydict(columns), Path("rows"))
        values = spec.encode(spec.parse(encoder.source(rows, numbering)))
    except (DataError, pa.ArrowException, OverflowError):
        return REFUSED
    return values.reshape(rows.num_rows, -1).tolist()


def by_reference(reference: Encoder, spec: FeatureSpec, columns: dict[str, list[Any]]) -> Any:
    feature = next(each for each in reference.encoding["features"] if each["name"] == spec.name)
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    try:
        return [reference._encoded(feature, row, 1) for row in rows]
    except EncodingError:
        return REFUSED


def alone(spec: FeatureSpec, cell: Any, beside: Any = "a") -> dict[str, list[Any]]:
    """Make the columns of one row that holds a cell, and another one in the columns that are read beside it."""
    return {column: [cell if column == spec.column else beside] for column in spec.columns}


def rules_of(spec: FeatureSpec) -> Any:
    """Return what tells features apart that read their cells differently."""
    return spec.kind, *(getattr(spec, name, None) for name in ("column", "infinite", "text", "unit", "blank", "place"))


def test_every_kind_of_field_is_tested(encoder: RowEncoder) -> None:
    kinds = {spec.model_fields["kind"].default for kind in KINDS for spec in kind.specs}
    assert {spec.kind for spec in encoder.manifest.features} == kinds


def test_each_text_has_the_ids_and_numbers_of_our_encoder_or_is_refused_by_both(
    encoder: RowEncoder, reference: Encoder, without_advice: None
) -> None:
    looked_at: set[Any] = set()
    for spec in encoder.manifest.features:
        refused = [text for text in TEXTS if by_reference(reference, spec, alone(spec, text)) == REFUSED]
        taken = [text for text in TEXTS if text not in refused]
        for beside in ("a", "NA", *TEXTS[::25])[: 1 if len(spec.columns) == 1 else None]:
            columns = {column: taken if column == spec.column else [beside] * len(taken) for column in spec.columns}
            pairs = zip(taken, by_ours(encoder, spec, columns), by_reference(reference, spec, columns), strict=True)
            assert not [(spec.name, beside, *pair) for pair in pairs if pair[1] != pair[2]]
        if rules_of(spec) not in looked_at:
            looked_at.add(rules_of(spec))
            some = refused if spec.name in {"price", "day_number", "past", "many"} else refused[::5]  # it takes long
            assert not [text for text in some if by_ours(encoder, spec, alone(spec, text)) != REFUSED], spec.name


def test_each_typed_cell_has_the_ids_and_numbers_of_our_encoder_or_is_refused_by_both(
    encoder: RowEncoder, reference: Encoder, without_advice: None
) -> None:
    distinct = {rules_of(spec): spec for spec in encoder.manifest.features}
    for spec in distinct.values():
        for cell in TYPED:
            columns = alone(spec, cell)
            found = by_reference(reference, spec, columns)
            assert found == by_ours(encoder, spec, columns), (spec.name, cell)


def by_patterns(text: str, time_format: str) -> tuple[int, int | None] | None:
    found = parse_times(pl.Series([text]), time_format)
    local = found.local.cast(pl.Int64)[0]
    return None if local is None else (local, found.instants[0])


FORMATS = [
    *EXAMPLES, "%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M:%S.%f", "%d %b %y %I:%M %p", "%A %d %B %Y", "%Y %j", "%F %T%z",
    "%D %R", "%a, %e/%m/%Y %H%%",
]  # fmt: skip
WRITTEN = st.one_of(
    st.text(alphabet="0123456789-:./ +TZamp", max_size=25),
    st.tuples(st.datetimes(), st.sampled_from([each for each in FORMATS if "%" in each])).map(
        lambda pair: pair[0].strftime(pair[1].replace("%z", "+0130"))
    ),
    st.integers(-(10**19), 10**19).map(str),
    st.floats(allow_nan=False).map(str),
    st.sampled_from(TEXTS),
)


@pytest.mark.filterwarnings("ignore")
@given(WRITTEN, st.sampled_from(FORMATS))
def test_times_of_every_format_are_read_as_ours_are(text: str, time_format: str) -> None:
    found = parse_time(text, time_format)
    assert (None if found is None else (found.local, found.instant)) == by_patterns(text, time_format)


@given(st.binary(max_size=40))
def test_hashes_are_those_of_scikit_learn(data: bytes) -> None:
    assert murmurhash3_32(data) == sklearn_hash(data, positive=True)


def test_hashed_vocabularies_hold_no_values_and_give_the_same_ids(encoder: RowEncoder, reference: Encoder) -> None:
    salt = "00112233445566778899aabbccddeeff"
    hashed = RowEncoder(
        encoder.manifest.model_copy(update={"vocabulary_salt": salt}),
        {name: each.hashed(salt) for name, each in encoder.vocabularies.items()},
    )
    encoding = encoding_of(hashed)
    assert not {"a", "Zürich", "Köln & Bonn"} & {value for each in encoding["vocabularies"].values() for value in each}
    by_hashes = Encoder(encoding)
    for spec in encoder.manifest.features:
        for text in ("a", "b", "Köln & Bonn", "", "a|12.0", "2014-10-21"):
            columns = alone(spec, text)
            assert by_reference(by_hashes, spec, columns) == by_reference(reference, spec, columns)


def test_it_tells_no_counts_of_the_log(encoder: RowEncoder) -> None:
    encoding = encoding_of(encoder)
    assert encoding["vocabularies"]["site"] == encoder.vocabularies["site"].values.to_list()
    assert "count" not in json.dumps(encoding)


def test_a_missing_column_is_named_unless_the_ranker_has_a_value_for_it(encoder: RowEncoder) -> None:
    row = dict.fromkeys(encoder.columns) | {"size": 2}
    served_alone = Encoder(encoding_of(encoder)).encode([{**row, "site": "a"}])
    assert len(served_alone["categorical"][0]) == len(encoder.schema.categorical)
    del row["price"]
    with pytest.raises(EncodingError, match=r"row 1 must have the column 'price'"):
        Encoder(encoding_of(encoder)).encode([row])


def test_the_file_imports_the_standard_library_alone() -> None:
    tree = ast.parse(Path(reference_encoder.__file__).read_text(encoding="utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_as_a_program_it_encodes_lines_of_json(encoder: RowEncoder, reference: Encoder, tmp_path: Path) -> None:
    (tmp_path / "encoding.json").write_text(json.dumps(encoding_of(encoder)), encoding="utf-8")
    write_encoder(tmp_path / "encode.py")
    rows = [dict.fromkeys(encoder.columns) | {"site": site, "size": 1, "past": "a|b"} for site in ("a", "日本")]
    lines = "\n".join(json.dumps(row) for row in rows)
    command = [sys.executable, "-I", "encode.py"]  # -I: without the folders of installed packages of this environment
    done = subprocess.run(command, input=lines, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert json.loads(done.stdout) == reference.encode(rows)


@pytest.mark.parametrize("transform", ["as_is", "log", "standardise", "min_max"])
@given(number=st.floats(-3e38, 3e38))
def test_numbers_are_transformed_as_ours_are(encoder: RowEncoder, transform: str, number: float) -> None:
    spec = next(each for each in encoder.manifest.features if each.name == "price_log").model_copy(
        update={"transform": transform}
    )
    only = RowEncoder(encoder.manifest.model_copy(update={"features": (spec,)}), {})
    (found,) = Encoder(encoding_of(only)).encode([{"price": number}])["numeric"][0]
    (expected,) = transform_numbers(np.array([number]), spec.transform, spec.statistics)  # type: ignore[attr-defined]
    assert found == pytest.approx(float(expected), rel=1.2e-7)  # logarithms of two libraries may differ in the last bit
