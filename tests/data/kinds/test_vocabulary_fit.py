from pathlib import Path
from typing import get_args

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.cells.texts import BlankIds
from rankelastor.data.interner import Interner
from rankelastor.data.kinds.cells import Cells, CellSource, Numbering
from rankelastor.data.kinds.vocabulary_fit import VocabularyFit, number_texts
from rankelastor.data.kinds.vocabulary_rules import VocabularyRules
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

TEXTS = ["b", "NA", None, "b", "", "a"]


def texts_of(cells: pa.Array) -> list[str]:
    interner = Interner()
    rows = RawRows(pa.record_batch({"x": cells}), Path("log"))
    by_row = number_texts(CellSource(rows, ["NA"], Numbering.provisional(interner)), "x")
    by_text = number_texts(CellSource(rows, ["NA"], Numbering(interner.codes, once_per_text=True)), "x")
    assert by_row.values.tolist() == by_text.values.tolist()
    return interner.values().gather(by_row.values).to_list()


@pytest.mark.parametrize(
    "cells",
    [pa.array(TEXTS), pa.array(TEXTS, pa.large_string()), pa.array(TEXTS).dictionary_encode()],
    ids=["text", "large text", "encoded"],
)
def test_each_kind_of_column_gives_the_same_texts_and_one_blank(cells: pa.Array) -> None:
    assert texts_of(cells) == ["b", "", "", "b", "", "a"]


def test_numbers_are_taken_as_written() -> None:
    assert texts_of(pa.array([3, None, 3])) == ["3", "", "3"]


def test_lists_are_refused() -> None:
    with pytest.raises(DataError, match=r"log, column 'x' must hold one text or number per row, but its type is list"):
        texts_of(pa.array([["a"]]))


def test_blank_elements_of_lists_are_not_counted_and_blank_cells_are() -> None:
    interner = Interner()
    codes = interner.codes(pl.Series(["a", "", "b"]))
    fit = VocabularyFit(VocabularyRules(), interner, "item.parquet")
    fit.add(Cells(codes[[0, 1, 0]]))
    fit.add(Cells(codes[[1, 2, 1]], np.array([0, 2, 3])))
    vocabulary = fit.close()
    assert vocabulary.values.to_list() == ["a", "", "b"]
    assert vocabulary.counts.tolist() == [2, 1, 1]


def test_a_blank_that_only_lists_hold_is_no_value() -> None:
    interner = Interner()
    fit = VocabularyFit(VocabularyRules(), interner, "item.parquet")
    assert fit.close().values.to_list() == []


def test_another_rule_for_blanks_keeps_the_values() -> None:
    interner = Interner()
    codes = interner.codes(pl.Series(["a", ""]))
    fit = VocabularyFit(VocabularyRules(), interner, "item.parquet")
    fit.add(Cells(codes))
    fit.close()
    assert fit.ids_of_codes(None).tolist() == [2, 1]
    assert fit.ids_of_codes("padding").tolist() == [2, 0]


@given(
    st.lists(st.sampled_from(["", "a", "b", "longer than eight bytes", "é"]), min_size=1),
    st.integers(1, 3),
    st.sampled_from(get_args(BlankIds)),
)
def test_each_code_has_the_id_that_its_text_is_looked_up_by(texts: list[str], min_count: int, blank: BlankIds) -> None:
    interner = Interner()
    codes = interner.codes(pl.Series(texts))
    fit = VocabularyFit(VocabularyRules(min_count=min_count, blank=blank), interner, "item.parquet")
    fit.add(Cells(codes))
    vocabulary = fit.close()
    assert fit.ids_of_codes(None)[codes].tolist() == vocabulary.ids(pl.Series(texts)).tolist()
