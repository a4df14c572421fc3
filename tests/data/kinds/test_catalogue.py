from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from rankelastor.data.kinds.catalogue import FieldSettings

ADAPTER: TypeAdapter[Any] = TypeAdapter(FieldSettings)
VECTORS = {"file": "v.parquet", "key": "item", "vector": "embedding"}


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"kind": "sequence", "shares": "item", "min_count": 2}, "min_count must be left out beside shares, but 2 was"),
        ({"kind": "categorical", "shares": "item", "min_count": 2}, "the vocabulary is that of 'item'; set it there"),
        ({"kind": "categorical", "shares": "item", "blank": "padding"}, "blank must be left out beside shares"),
        ({"kind": "categorical", "shares": "item", "pretrained": VECTORS}, "pretrained must be left out beside shares"),
        ({"kind": "sequence", "separator": "::"}, "at most 1 character"),
        ({"kind": "sequence", "max_length": 0}, "greater than or equal to 1"),
        ({"kind": "hashed", "num_buckets": 0}, "greater than or equal to 1"),
        ({"kind": "quantile", "num_buckets": 1}, "greater than or equal to 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["kind"],
)
def test_settings_that_do_not_go_together_are_refused(field: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ADAPTER.validate_python({"column": "x"} | ({"max_length": 3} if field["kind"] == "sequence" else {}) | field)


def test_defaults_beside_shares_are_fine_since_a_run_writes_them_out() -> None:
    field = ADAPTER.validate_python({"kind": "sequence", "column": "x", "max_length": 3, "shares": "item"})
    assert ADAPTER.validate_python(field.model_dump(mode="json")) == field
