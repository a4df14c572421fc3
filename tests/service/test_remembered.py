"""Tests that rows whose values are remembered are encoded as ``RowEncoder`` encodes them."""

from typing import Any

import numpy as np
import pytest
from tests.bundles.bundled_runs import tiny_run

from rankelastor.data.encoder import RowEncoder
from rankelastor.errors import DataError
from rankelastor.runs.load import load_run
from rankelastor.schema import Batch
from rankelastor.service.columns import raw_rows
from rankelastor.service.remembered import RememberingEncoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> RowEncoder:
    return load_run(tiny_run(tmp_path_factory.mktemp("run"))).encoder


def same(found: Batch, expected: Batch) -> None:
    np.testing.assert_array_equal(found.categorical, expected.categorical)
    np.testing.assert_array_equal(found.numeric, expected.numeric)
    if expected.sequence is not None:
        np.testing.assert_array_equal(found.sequence, expected.sequence)


VALUES = ["a", "nowhere", "", None, 7, 7.0, "7", 0.0, -0.0, True, 1, False, 2**60, "x" * 1000, "é"]


def test_every_type_of_value_has_the_id_that_it_has_alone_whatever_came_before(encoder: RowEncoder) -> None:
    remembering = RememberingEncoder(encoder)
    rows = [{"site": value, "device": "phone", "price": 1.0} for value in VALUES]
    for _ in range(2):
        for row in rows:
            same(remembering.encode([row]), encoder.encode(raw_rows([row], encoder.columns)))
    together = remembering.encode(rows)
    alone = [encoder.encode(raw_rows([row], encoder.columns)).categorical for row in rows]
    np.testing.assert_array_equal(together.categorical, np.concatenate(alone))


@pytest.mark.parametrize("price", [3, 2.5, "1.25", "", None, "-0", " 4 ", "1e3", "007", 2**60, "5."])
def test_numbers_are_read_as_the_encoder_reads_them(encoder: RowEncoder, price: Any) -> None:
    row = {"site": "a", "device": "phone", "price": price}
    for rows in ([row], [row, {**row, "price": 0.5}], [row, {**row, "price": "0.5"}]):
        same(RememberingEncoder(encoder).encode(rows), encoder.encode(raw_rows(rows, encoder.columns)))


def test_all_kinds_of_fields_are_encoded_the_same_and_a_context_is_encoded_once(all_kinds: RowEncoder) -> None:
    row = {"site": "s1", "item": "i2", "price": 1.5, "age": 12, "at": "2024-01-05 07:00:00", "seen": "i2|i5"}
    rows = [row, {**row, "site": "none", "seen": ""}, {**row, "item": "i0", "price": 7, "at": "2024-02-01 23:00:00"}]
    remembering = RememberingEncoder(all_kinds)
    for _ in range(2):
        same(remembering.encode(rows), all_kinds.encode(raw_rows(rows, all_kinds.columns)))
    context = {name: row[name] for name in ("site", "age", "seen")}
    candidates = [{name: each[name] for name in each if name not in context} for each in rows]
    expected = all_kinds.encode(raw_rows([{**context, **each} for each in candidates], all_kinds.columns))
    same(remembering.encode(candidates, context=context), expected)


def test_a_wrong_cell_is_named_with_the_row_of_the_request(encoder: RowEncoder) -> None:
    rows = [{"site": "a", "device": "phone", "price": price} for price in (1, 2, "much")]
    with pytest.raises(DataError, match="the request, column 'price', row 3 must hold numbers, but 'much' was given"):
        RememberingEncoder(encoder).encode(rows)


def test_no_more_values_are_remembered_than_allowed(encoder: RowEncoder) -> None:
    remembering = RememberingEncoder(encoder, most_values=30)  # 10 of each field
    for number in range(50):
        row = {"site": f"s{number}", "device": "phone", "price": 1.0}
        same(remembering.encode([row]), encoder.encode(raw_rows([row], encoder.columns)))
        assert all(len(found) <= 10 for found in remembering._found.values())
    many = [{"site": f"m{number}", "device": "x" * 500, "price": 1.0} for number in range(40)]
    same(remembering.encode(many), encoder.encode(raw_rows(many, encoder.columns)))
    assert not any("x" * 500 in found for found in remembering._found.values())
