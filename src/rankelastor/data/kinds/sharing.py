"""Check that every field that shares a vocabulary names a field that has one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rankelastor.data.cells.texts import BlankIds
from rankelastor.data.kinds.field import PlannedFeature
from rankelastor.data.raw.column_names import quote_names
from rankelastor.errors import SettingsError
from rankelastor.suggestions import did_you_mean


def require_valid_sharing(features: Iterable[PlannedFeature]) -> None:
    """Raise unless every ``shares`` names a feature with a vocabulary of its own that may be shared.

    Example:
        >>> from rankelastor.data.kinds.categorical import CategoricalField
        >>> from rankelastor.data.kinds.sequence import SequenceField
        >>> item = CategoricalField(column="item").plan("item")
        >>> history = SequenceField(kind="sequence", column="history", max_length=3, shares="items").plan("history")
        >>> require_valid_sharing([*item, *history])
        Traceback (most recent call last):
        rankelastor.errors.SettingsError: data.fields: 'history' must share an existing field, but shares 'items'; \
did you mean 'item'?

    Raises:
        SettingsError: the field is unknown, shares another one itself, or is of another kind.
    """
    by_name = {feature.name: feature for feature in features}
    for name, feature in by_name.items():
        if feature.vocabulary is not None and feature.vocabulary.shares is not None:
            _require(name, feature.vocabulary.shares, by_name)


def refuse_rules_with_shares(shares: str | None, *, min_count: int, blank: BlankIds = "value") -> None:
    """Raise a ``ValueError`` if a rule is set that the shared field determines."""
    if shares is None:
        return
    for name, given, default in (("min_count", min_count, 1), ("blank", blank, "value")):
        if given != default:
            raise ValueError(
                f"{name} must be left out with shares, but {given!r} was given; the vocabulary is that of "
                f"{shares!r}, so set it there"
            )


def _require(name: str, shared: str, features: Mapping[str, PlannedFeature]) -> None:
    place = f"data.fields: {name!r}"
    if shared not in features:
        near = did_you_mean(shared, features, quoted=True)
        advice = near or f"known fields are {quote_names(features)}"
        raise SettingsError(f"{place} must share an existing field, but shares {shared!r}; {advice}")
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
    own = features[name].vocabulary
    if own is not None and own.text != owner.text:
        raise SettingsError(
            f"{place} must read texts as {shared!r} does, whose vocabulary it shares, but text is {own.text} and there "
            f"{owner.text}; set text: {owner.text}"
        )
