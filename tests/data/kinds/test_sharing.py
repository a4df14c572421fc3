from typing import Any

import pytest

from rankelastor.data.kinds.calendar import CalendarField
from rankelastor.data.kinds.categorical import CategoricalField
from rankelastor.data.kinds.field import ColumnSettings, PlannedFeature
from rankelastor.data.kinds.hashed import HashedField
from rankelastor.data.kinds.numeric import NumericField
from rankelastor.data.kinds.sequence import SequenceField
from rankelastor.data.kinds.sharing import require_valid_sharing
from rankelastor.errors import SettingsError

FIELDS: dict[str, ColumnSettings] = {
    "item": CategoricalField(column="item"),
    "tags": SequenceField(kind="sequence", column="tags", max_length=2),
    "price": NumericField(kind="numeric", column="price"),
    "ip": HashedField(kind="hashed", column="ip", num_buckets=3),
    "seen": SequenceField(kind="sequence", column="seen", max_length=2, shares="item"),
    "time": CalendarField(kind="calendar", column="time", format="iso", parts=("hour",)),
}


def planned(fields: dict[str, ColumnSettings]) -> list[PlannedFeature]:
    return [feature for name, field in fields.items() for feature in field.plan(name)]


def sequence(shares: str, **more: Any) -> SequenceField:
    return SequenceField(kind="sequence", column="x", max_length=3, shares=shares, **more)


@pytest.mark.parametrize("shares", ["item", "tags"])
def test_categorical_and_sequence_fields_may_be_shared(shares: str) -> None:
    require_valid_sharing(planned(FIELDS | {"x": sequence(shares)}))


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ("items", r"'x' must share an existing field, but shares 'items'; did you mean 'item'\?"),
        ("zzz", r"known fields are 'item', 'tags', 'price'"),
        ("price", r"'x' must share a categorical or sequence field, but 'price' is numeric; leave shares out"),
        ("ip", r"'ip' is hashed"),
        ("time_hour", r"'time_hour' is calendar"),
        ("seen", r"with a vocabulary of its own, but 'seen' shares 'item'; try shares: item"),
        ("x", r"'x' must share another field, but shares itself"),
    ],
)
def test_sharing_that_cannot_work_is_refused(shares: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        require_valid_sharing(planned(FIELDS | {"x": sequence(shares)}))
