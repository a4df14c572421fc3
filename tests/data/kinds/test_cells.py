import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from rankelastor.data.interner import Interner
from rankelastor.data.kinds.cells import Cells, Numbering

LISTS = Cells(np.array([4, 0, 2, 7], dtype=np.uint32), np.array([0, 2, 2, 4]))
PLAIN = Cells(np.array([4, 0, 2], dtype=np.uint32))


@pytest.mark.parametrize("cells", [PLAIN, LISTS, Cells(np.array([0.5, np.nan]))], ids=["codes", "lists", "numbers"])
def test_cells_survive_arrow(cells: Cells) -> None:
    batch = pa.RecordBatch.from_arrays([cells.to_arrow()], names=["x"])
    back = Cells.from_arrow(batch.column("x"))
    assert np.array_equal(back.values, cells.values, equal_nan=cells.values.dtype.kind == "f")
    assert back.values.dtype == cells.values.dtype
    assert (back.offsets is None) == (cells.offsets is None)
    if cells.offsets is not None and back.offsets is not None:
        assert back.offsets.tolist() == cells.offsets.tolist()


def test_selected_lists_stay_whole() -> None:
    chosen = LISTS.select(np.array([False, True, True]))
    assert chosen.values.tolist() == [2, 7]
    assert chosen.offsets is not None
    assert chosen.offsets.tolist() == [0, 0, 2]


def test_selecting_every_row_copies_nothing() -> None:
    assert PLAIN.select(np.ones(3, dtype=bool)) is PLAIN


def test_codes_become_ids_by_one_table() -> None:
    ids = LISTS.translate(np.arange(10, 20, dtype=np.int32))
    assert ids.values.tolist() == [14, 10, 12, 17]
    assert ids.offsets is LISTS.offsets


def test_texts_of_a_kind_without_vocabulary_are_not_numbered() -> None:
    with pytest.raises(AssertionError, match="must not number texts"):
        Numbering.none().number(pl.Series(["a"]))
    assert Numbering.provisional(Interner()).number(pl.Series(["b", "a", "b"])).tolist() == [0, 1, 0]
