"""Find the place of a settings error: which settings class and which key its location means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel


@dataclass(frozen=True)
class Place:
    """Where an error lies.

    Attributes:
        path: keys from the top, joined by dots, without the labels that pydantic adds.
        owner: the settings class that has the last key; None if there is none, or several.
        holder: the settings class at the path itself, if the path leads to settings.
        union: path of the setting whose alternatives were tried; None if there are no alternatives.
        alternatives: the settings classes that are allowed at the path.
    """

    path: str
    owner: type[BaseModel] | None
    holder: type[BaseModel] | None
    union: str | None
    alternatives: tuple[type[BaseModel], ...]


def find_place(model: type[BaseModel], location: tuple[int | str, ...]) -> Place:
    """Follow the location of a pydantic error from the class that was validated.

    Example:
        >>> from rankelastor.config.training import TrainingSettings
        >>> find_place(TrainingSettings, ("order", "window", "block_rows")).path
        'order.block_rows'
    """
    owner: type[BaseModel] | None = model
    annotation: Any = model
    path: list[str] = []
    union: str | None = None
    for key in location:
        classes = settings_classes(annotation)
        tagged = {tag_of(cls): cls for cls in classes if tag_of(cls) is not None}
        if isinstance(key, str) and len(classes) > 1 and key in tagged:
            annotation = tagged[key]
            continue
        if _is_choice_label(key, annotation):
            union = ".".join(path)
            continue
        path.append(str(key))
        if isinstance(key, int):
            annotation = _inner(annotation)
            continue
        owner = classes[0] if len(classes) == 1 else None
        field = owner.model_fields.get(key) if owner else None
        annotation = field.annotation if field else _inner(annotation)
    found = settings_classes(annotation)
    return Place(".".join(path), owner, found[0] if len(found) == 1 else None, union, tuple(found))


def paths_of_key(key: str, model: type[BaseModel], path: str = "") -> Iterator[str]:
    """List the paths of all settings of this name in a settings class and below it; kinds and elements are left out.

    Example:
        >>> from rankelastor.config.training import TrainingSettings
        >>> list(paths_of_key("patience", TrainingSettings))
        ['stopping.patience']
    """
    for name, field in model.model_fields.items():
        place = f"{path}.{name}".lstrip(".")
        if name == key:
            yield place
        for nested in settings_classes(field.annotation):
            yield from paths_of_key(key, nested, place)


def settings_classes(annotation: Any) -> list[type[BaseModel]]:
    """List the settings classes that an annotation allows, not those inside lists and mappings."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Annotated:
        return settings_classes(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [cls for argument in get_args(annotation) for cls in settings_classes(argument)]
    return []


def tag_of(cls: type[BaseModel]) -> str | None:
    """Return the value of ``kind`` that chooses the class; None if it has none."""
    kind = cls.model_fields.get("kind")
    values = get_args(kind.annotation) if kind else ()
    return values[0] if values else None


def _is_choice_label(key: int | str, annotation: Any) -> bool:
    """Tell whether pydantic inserted the key to name an alternative of a plain union ("str", "tuple[...]")."""
    is_union = get_origin(annotation) in (Union, UnionType)
    alternatives = [argument for argument in get_args(annotation) if argument is not type(None)]
    return isinstance(key, str) and not settings_classes(annotation) and is_union and len(alternatives) > 1


def _inner(annotation: Any) -> Any:
    """Return the annotation of one item of a list or mapping."""
    arguments = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    if get_origin(annotation) is Annotated:
        return _inner(arguments[0])
    if get_origin(annotation) is dict:
        return arguments[1]
    if get_origin(annotation) in (Union, UnionType):
        inner = [_inner(argument) for argument in arguments if get_args(argument)]
        return inner[0] if inner else None
    return arguments[0] if arguments else None
