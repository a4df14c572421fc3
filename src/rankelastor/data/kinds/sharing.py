"""Check that fields which share a vocabulary name a field that has one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from rankelastor.data.cells.texts import BlankIds
from rankelastor.data.kinds.field import PlannedFeature
from rankelastor.data.raw.column_names import quoted
from rankelastor.errors import SettingsError


def require_sharing_that_works(features: Iterable[PlannedFeature]) -> None:
    """Raise unless every ``shares`` names a feature with a vocabulary of its own that may be shared.

    Example:
        >>> from rankelastor.data.kinds.categorical import CategoricalField
        >>> from rankelastor.data.kinds.sequence import SequenceField
        >>> item = CategoricalField(column="item").plan("item")
        >>> history = SequenceField(kind="sequence", column="history", max_length=3, shares="items").plan("history")
        >>> require_sharing_that_works([*item, *history])
        Traceback (most recent call last):
        rankelastor.errors.SettingsError: data.fields: 'history' must share a field that is there, but shares 'items'; \
did you mean 'item'?

    Raises:
        SettingsError: the field is unknown, shares another one itself, or is of another kind.
    """
    by_name = {feature.name: feature for feature in features}
    for name, feature in by_name.items():
        if feature.vocabulary is not None and feature.vocabulary.shares is not None:
            _require(name, feature.vocabulary.shares, by_name)


def refuse_rules_beside_shares(shares: str | None, *, min_count: int, blank: BlankIds = "value") -> None:
    """Raise a ``ValueError`` if rules are set that the shared field has."""
    if shares is None:
        return
    for name, given, default in (("min_count", min_count, 1), ("blank", blank, "value")):
        if given != default:
            raise ValueError(
                f"{name} must be left out beside shares, but {given!r} was given: the vocabulary is that of "
                f"{shares!r}; set it there"
            )


def _require(name: str, shared: str, features: Mapping[str, PlannedFeature]) -> None:
    place = f"data.fields: {name!r}"
    if shared not in features:
        near = difflib.get_close_matches(shared, features, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"there are {quoted(features)}"
        raise SettingsError(f"{place} must share a field that is there, but shares {shared!r}; {advice}")
    if shared == name:
        raise SettingsError(f"{place} must share another field, but shares itself; leave shares out")
    owner = features[shared].vocabulary
    if owner is None or not owner.may_be_shared:
        raise SettingsError(
            f"{place} must share a categorical or sequence field, but {shared!r} is {features[shared].kind}; "
            "leave shares out"
        )
    if owner.shares is not None:
        raise SettingsError(
            f"{place} must share a field with a vocabulary of its own, but {shared!r} shares {owner.shares!r}; "
            f"try shares: {owner.shares}"
        )
