from typing import Any

import pytest

from rankelastor.config.fields import CategoricalField, ColumnSettings, HashedField, NumericField, SequenceField
from rankelastor.data.building.sharing import require_sharing_that_works
from rankelastor.errors import SettingsError

FIELDS: dict[str, ColumnSettings] = {
    "item": CategoricalField(column="item"),
    "tags": SequenceField(kind="sequence", column="tags", max_length=2),
    "price": NumericField(kind="numeric", column="price"),
    "ip": HashedField(kind="hashed", column="ip", num_buckets=3),
    "seen": SequenceField(kind="sequence", column="seen", max_length=2, shares="item"),
}


def sequence(shares: str, **more: Any) -> SequenceField:
    return SequenceField(kind="sequence", column="x", max_length=3, shares=shares, **more)


@pytest.mark.parametrize("shares", ["item", "tags"])
def test_categorical_and_sequence_fields_may_be_shared(shares: str) -> None:
    require_sharing_that_works(FIELDS | {"x": sequence(shares)})


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ("items", r"'x' must share a field that is there, but shares 'items'; did you mean 'item'\?"),
        ("zzz", r"there are 'item', 'tags', 'price'"),
        ("price", r"'x' must share a categorical or sequence field, but 'price' is numeric; leave shares out"),
        ("ip", r"'ip' is hashed"),
        ("seen", r"with a vocabulary of its own, but 'seen' shares 'item'; try shares: item"),
        ("x", r"'x' must share another field, but shares itself"),
    ],
)
def test_sharing_that_cannot_work_is_refused(shares: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        require_sharing_that_works(FIELDS | {"x": sequence(shares)})
