"""The reference encoder is compared with ours on the example rows before an export is written."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from torch import Tensor

from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import RunError
from rankelastor.export.encoder_agreement import check_encoder, python_rows
from rankelastor.export.encoding import encoding_of
from rankelastor.export.export_run import _example_rows
from rankelastor.export.graph_inputs import inputs_of, tensors_of
from rankelastor.runs.load import LoadedRun


@pytest.fixture
def rows(run: LoadedRun) -> RawRows:
    rows = _example_rows(run)
    assert rows is not None
    return rows


@pytest.fixture
def expected(run: LoadedRun, rows: RawRows) -> dict[str, Tensor]:
    return tensors_of(run.encoder.encode(rows), inputs_of(run.encoder.schema))


def test_equal_ids_and_numbers_pass(run: LoadedRun, rows: RawRows, expected: dict[str, Tensor]) -> None:
    check_encoder(encoding_of(run.encoder), rows, expected)


def test_another_id_or_number_is_named_with_its_row(run: LoadedRun, rows: RawRows, expected: dict[str, Tensor]) -> None:
    encoding = encoding_of(run.encoder)
    encoding["vocabularies"]["site"].reverse()
    with pytest.raises(RunError, match=r"but makes \[\d, \d\] and not \[\d, \d\] of the categorical fields of row 1"):
        check_encoder(encoding, rows, expected)
    expected["numeric"][3] += 1e-5
    with pytest.raises(RunError, match=r"of the numeric fields of row 4"):
        check_encoder(encoding_of(run.encoder), rows, expected)


def test_a_row_that_it_cannot_read_is_named(run: LoadedRun, rows: RawRows, expected: dict[str, Tensor]) -> None:
    encoding = encoding_of(run.encoder)
    encoding["features"][-1]["blank"] = None
    with pytest.raises(RunError, match=r"must read the rows of the check, but row 4, column 'price' must not be blank"):
        check_encoder(encoding, rows, expected)


def test_a_field_of_a_kind_of_your_own_is_refused_until_it_has_a_method(run: LoadedRun) -> None:
    (first, *others) = run.encoder.manifest.features
    own: Any = first.model_copy(update={"kind": "prefix"})
    manifest = run.encoder.manifest.model_copy(update={"features": (own, *others)})
    with pytest.raises(
        RunError, match=r"reference_encoder has a method for, but 'site' is prefix; leave the field out"
    ):
        encoding_of(type(run.encoder)(manifest, run.encoder.vocabularies))


def test_times_of_nanoseconds_become_those_of_python() -> None:
    when = dt.datetime.fromisoformat("2014-10-21T23:00:00.000001")
    table = pa.RecordBatch.from_arrays(
        [pa.array([1_413_932_400_000_001_999], pa.timestamp("ns")), pa.array([1999], pa.duration("ns"))], ["at", "took"]
    )
    assert python_rows(table) == [{"at": when, "took": dt.timedelta(microseconds=1)}]
