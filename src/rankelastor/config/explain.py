"""Turn a pydantic validation error into sentences: path, value, what is allowed, the nearest known key."""

from __future__ import annotations

import difflib
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def explain_validation_error(error: ValidationError, model: type[BaseModel], *, source: str) -> str:
    """One line a mistake: where it stands, what was given, what is allowed.

    Args:
        error: what pydantic raised when ``model`` was validated.
        model: the settings class; its known keys are listed where a key is unknown.
        source: the file or the object that holds the settings.
    """
    sentences = [_sentence(detail, model) for detail in error.errors(include_url=False)]
    if len(sentences) == 1:
        return f"{source}: {sentences[0]}"
    return "\n".join([f"{source}: {len(sentences)} settings must be mended", *(f"  {line}" for line in sentences)])


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    owner, path = _follow(model, detail["loc"])
    given = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            return f"{path} is no setting; {_nearest(str(detail['loc'][-1]), owner)}"
        case "missing":
            return f"{path} must be given, but is missing"
        case "union_tag_invalid":
            context = detail["ctx"]
            return f"{path}.kind must be one of {context['expected_tags']}, but {context['tag']!r} was given"
        case "union_tag_not_found":
            return f"{path}.kind must be given: it names the variant"
        case "value_error":
            reason = detail["msg"].removeprefix("Value error, ")
            return f"{path}: {reason}" if path else reason
        case _:
            rule = detail["msg"].removeprefix("Input should be ")
            must = f"{path}: {rule}" if rule == detail["msg"] else f"{path} must be {rule}"
            return f"{must}, but {given!r} was given"


def _nearest(key: str, owner: type[BaseModel] | None) -> str:
    if owner is None:
        return "remove it"
    known = sorted(owner.model_fields)
    near = difflib.get_close_matches(key, [*known, *getattr(owner, "also_known", ())], n=1)
    listed = f"known here: {', '.join(known)}"
    return f"did you mean {near[0]}? ({listed})" if near else listed


def _follow(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[type[BaseModel] | None, str]:
    """The settings class that owns the last key, and the dotted path without the union tags pydantic adds."""
    owner: type[BaseModel] | None = model
    annotation: Any = model
    path: list[str] = []
    for key in location:
        classes = _classes(annotation)
        tagged = {_tag(cls): cls for cls in classes if _tag(cls) is not None}
        if isinstance(key, str) and len(classes) > 1 and key in tagged:
            annotation = tagged[key]
            continue
        if _is_choice_label(key, annotation):
            continue
        path.append(str(key))
        if isinstance(key, int):
            annotation = _inner(annotation)
            continue
        owner = classes[0] if len(classes) == 1 else None
        field = owner.model_fields.get(key) if owner else None
        annotation = field.annotation if field else _inner(annotation)
    return owner, ".".join(path)


def _is_choice_label(key: int | str, annotation: Any) -> bool:
    """Pydantic names the alternatives of a plain union ("str", "tuple[...]"): no part of the setting's path."""
    is_union = get_origin(annotation) in (Union, UnionType)
    alternatives = [argument for argument in get_args(annotation) if argument is not type(None)]
    return isinstance(key, str) and not _classes(annotation) and is_union and len(alternatives) > 1


def _classes(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return [cls for argument in get_args(annotation) for cls in _classes(argument)]
    return []


def _inner(annotation: Any) -> Any:
    """The annotation of one item of a list or mapping."""
    arguments = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    if get_origin(annotation) is Annotated:
        return _inner(arguments[0])
    if get_origin(annotation) is dict:
        return arguments[1]
    if get_origin(annotation) in (Union, UnionType, Annotated):
        inner = [_inner(argument) for argument in arguments if get_args(argument)]
        return inner[0] if inner else None
    return arguments[0] if arguments else None


def _tag(cls: type[BaseModel]) -> str | None:
    kind = cls.model_fields.get("kind")
    values = get_args(kind.annotation) if kind else ()
    return values[0] if values else None
