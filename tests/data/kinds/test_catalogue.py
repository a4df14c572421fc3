import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import rankelastor
from rankelastor.data.kinds.catalogue import KINDS, AnyFeatureSpec, FieldSettings

ADAPTER: TypeAdapter[Any] = TypeAdapter(FieldSettings)
VECTORS = {"file": "v.parquet", "key": "item", "vector": "embedding"}


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"kind": "sequence", "shares": "item", "min_count": 2}, "min_count must be left out with shares, but 2 was"),
        (
            {"kind": "categorical", "shares": "item", "min_count": 2},
            "the vocabulary is that of 'item', so set it there",
        ),
        ({"kind": "categorical", "shares": "item", "blank": "padding"}, "blank must be left out with shares"),
        ({"kind": "categorical", "shares": "item", "pretrained": VECTORS}, "pretrained must be left out with shares"),
        ({"kind": "sequence", "separator": "::"}, "separator must be one character, json, or null"),
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


def test_an_unknown_kind_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(ValidationError, match=r"'categorical', 'hashed', 'crossed', 'sequence', .* 'group'") as caught:
        ADAPTER.validate_python({"column": "x", "kind": "bucketed"})
    assert caught.value.errors()[0]["type"] == "union_tag_invalid"


def test_an_unknown_fitted_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="'bucketed' found using 'kind' does not match any of the expected tags"):
        TypeAdapter[Any](AnyFeatureSpec).validate_python({"kind": "bucketed", "name": "x", "column": "x"})


def test_settings_and_spec_of_a_kind_have_the_same_name() -> None:
    for kind in KINDS:
        assert kind.spec is None or kind.spec.model_fields["kind"].default == kind.name


def test_no_module_outside_this_room_asks_for_a_kind() -> None:
    """Check that no other module uses the classes of a kind, but those that write settings."""
    root = Path(rankelastor.__file__).parent
    names = "|".join(kind.name for kind in KINDS)
    asks = re.compile(rf"rankelastor\.data\.kinds(\.({names})\b| import .*\b({names})\b)")
    rooms = {"kinds", "drafting", "planted"}
    files = {"synthetic.py", "sketch.py", "imported_rows.py"}  # the last names FuxiCTR's kinds beside ours
    modules = [path for path in root.rglob("*.py") if path.parent.name not in rooms and path.name not in files]
    assert [str(path) for path in modules if asks.search(path.read_text())] == []
