"""Check that fields which share a vocabulary name a field that has one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from rankelastor.config.fields import CategoricalField, ColumnSettings, SequenceField
from rankelastor.data.raw.column_names import quoted
from rankelastor.errors import SettingsError


def require_sharing_that_works(features: Mapping[str, ColumnSettings]) -> None:
    """Raise unless every ``shares`` names a categorical or sequence field with a vocabulary of its own.

    Example:
        >>> item = CategoricalField(column="item")
        >>> history = SequenceField(kind="sequence", column="history", max_length=3, shares="items")
        >>> require_sharing_that_works({"item": item, "history": history})
        Traceback (most recent call last):
        rankelastor.errors.SettingsError: data.fields: 'history' must share a field that is there, but shares 'items'; \
did you mean 'item'?

    Raises:
        SettingsError: the field is unknown, shares another one itself, or is of another kind.
    """
    for name, settings in features.items():
        if isinstance(settings, CategoricalField | SequenceField) and settings.shares is not None:
            _require(name, settings.shares, features)


def _require(name: str, shared: str, features: Mapping[str, ColumnSettings]) -> None:
    place = f"data.fields: {name!r}"
    if shared not in features:
        near = difflib.get_close_matches(shared, features, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"there are {quoted(features)}"
        raise SettingsError(f"{place} must share a field that is there, but shares {shared!r}; {advice}")
    if shared == name:
        raise SettingsError(f"{place} must share another field, but shares itself; leave shares out")
    owner = features[shared]
    if not isinstance(owner, CategoricalField | SequenceField):
        kind = getattr(owner, "kind", "other")
        raise SettingsError(
            f"{place} must share a categorical or sequence field, but {shared!r} is {kind}; leave shares out"
        )
    if owner.shares is not None:
        raise SettingsError(
            f"{place} must share a field with a vocabulary of its own, but {shared!r} shares {owner.shares!r}; "
            f"try shares: {owner.shares}"
        )
