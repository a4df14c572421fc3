"""An overview of all models: idea, source, settings with their defaults."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from rankelastor.config.base import Settings
from rankelastor.errors import SettingsError
from rankelastor.models.catalogue import MODELS
from rankelastor.models.cost import Cost, cost_of
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.schema import FeatureSchema


@dataclass(frozen=True)
class SettingOverview:
    """One setting: its name, its default as a plain value, whether it must be given, and what it means."""

    name: str
    default: Any
    required: bool
    description: str


@dataclass(frozen=True)
class ModelOverview:
    """One model: the value of ``model.kind``, the idea in a line, the source, and the settings."""

    kind: str
    idea: str
    source: str
    settings: tuple[SettingOverview, ...]


def models_overview() -> tuple[ModelOverview, ...]:
    """List all models in the order of the catalogue; idea and source stand in the docstring of a model's file.

    Example:
        >>> [model.kind for model in models_overview()][:2]
        ['rankelastor', 'rankmixer']
    """
    return tuple(_overview(model) for model in MODELS)


def find_model(kind: str) -> ModelOverview:
    """Find a model by its kind.

    Raises:
        SettingsError: there is none; the message lists those that there are.

    Example:
        >>> find_model("fm").source
        'Rendle 2010, Factorization Machines.'
    """
    known = {model.kind: model for model in models_overview()}
    if kind not in known:
        raise SettingsError(f"a model must be one of {', '.join(known)}, but {kind!r} was given")
    return known[kind]


def cost_with_settings_of(given: RankerSettings, kind: str, schema: FeatureSchema) -> Cost | None:
    """Compute the cost of a model on the same data, with the settings that it shares with another ranker's.

    Settings that the other ranker lacks have their defaults. Returns None if one of them has no default, or if the
    sizes do not fit each other.
    """
    model = next(each for each in MODELS if _kind(each) == kind)
    if isinstance(given, model):
        return cost_of(given, schema)
    fixed = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is Literal}
    names = model.model_fields.keys() - fixed
    shared = {name: value for name, value in given.model_dump().items() if name in names}
    try:
        return cost_of(model.model_validate(shared | {"kind": kind}), schema)
    except (ValidationError, SettingsError):
        return None


def _overview(model: type[RankerSettings]) -> ModelOverview:
    text = inspect.getdoc(inspect.getmodule(model)) or ""
    idea, _, rest = text.partition("\n")
    source = re.search(r"^Source: (.*?)(\n\n|\Z)", rest, flags=re.DOTALL | re.MULTILINE)
    return ModelOverview(
        kind=_kind(model),
        idea=idea,
        source=" ".join(source[1].split()) if source else "",
        settings=tuple(_settings(model)),
    )


def _settings(owner: type[Settings], prefix: str = "") -> Iterator[SettingOverview]:
    """List the settings of a class; those of one group of settings by their dotted paths."""
    for name, field in owner.model_fields.items():
        if name == "kind":
            continue
        description, kinds = field.description or "", _kinds_of(field.annotation)
        default = None if field.is_required() else _plain(field.get_default(call_default_factory=True))
        yield SettingOverview(
            name=f"{prefix}{name}",
            default=default,
            required=field.is_required(),
            description=f"{description}; kinds: {', '.join(kinds)}" if kinds else description,
        )
        group = _group_of(field.annotation)
        if group is not None:
            yield from _settings(group, f"{prefix}{name}.")


def _classes(annotation: Any) -> list[type[Settings]]:
    """List the settings classes that a value of this type may have."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _classes(argument)]


def _kinds_of(annotation: Any) -> list[str]:
    return [_kind(found) for found in _classes(annotation) if "kind" in found.model_fields]


def _group_of(annotation: Any) -> type[Settings] | None:
    """Find the one class of a setting that is a group of settings, not a choice among kinds."""
    match [found for found in _classes(annotation) if "kind" not in found.model_fields]:
        case [group]:
            return group
        case _:
            return None


def _kind(model: type[Settings]) -> str:
    (kind,) = get_args(model.model_fields["kind"].annotation)
    return str(kind)


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value
