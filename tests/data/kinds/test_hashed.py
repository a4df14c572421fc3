from typing import Any

import polars as pl
import pytest

from rankelastor.data.cells.hashes import hashed_ids
from rankelastor.data.kinds.hashed import HashedSpec
from rankelastor.schema import CategoricalFeature


def test_ids_are_hashes_whatever_training_has_seen(encode_field: Any) -> None:
    field = {"kind": "hashed", "num_buckets": 10, "blank": "padding"}
    ((spec, ids),) = encode_field(field, ["a"], ["b", "", "a", "NA"], blanks=("NA",))
    expected = hashed_ids(pl.Series(["b", "", "a", ""]), num_buckets=10, blank="padding")
    assert ids.tolist() == expected.tolist()
    assert spec.feature == CategoricalFeature("x", 12)
    assert spec.vocabulary_file is None


@pytest.mark.parametrize(("blank", "blank_ids"), [("padding", (0,)), ("value", None), ("out_of_vocabulary", None)])
def test_only_padding_tells_blanks_from_other_values(blank: Any, blank_ids: tuple[int, ...] | None) -> None:
    spec = HashedSpec(name="x", column="x", num_buckets=1000, blank=blank)
    meaning = spec.meaning(None)
    assert meaning.blank_ids == blank_ids
    assert meaning.text_of(3) == "bucket 3"
    assert spec.describe() == "hashed into 1,000"
