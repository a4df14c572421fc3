"""Turn a pydantic validation error into sentences: path, value, allowed values, the nearest known key."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from rankelastor.config.annotations import Place, find_place, paths_of_key, tag_of
from rankelastor.suggestions import did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_TYPES = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping, `key: value`",
    "model_type": "settings, `key: value`",
    "model_attributes_type": "settings, `key: value`",
}
"""What a value of another type must be, by pydantic's name of the error."""

_LONGEST = 120


def explain_validation_error(error: ValidationError, model: type[BaseModel], *, source: str) -> str:
    """Describe each mistake in one line: its path, the value given, and what is allowed.

    Args:
        error: the error that pydantic raised for ``model``.
        model: the settings class; its known keys are listed if a key is unknown.
        source: the file or the object that holds the settings.
    """
    mistakes = [(find_place(model, detail["loc"]), detail) for detail in error.errors(include_url=False)]
    sentences = [_sentence(place, details, model) for place, details in _group_alternatives(mistakes)]
    if len(sentences) == 1:
        return f"{source}: {sentences[0]}"
    return "\n".join([f"{source}: {len(sentences)} settings must be corrected", *(f"  {line}" for line in sentences)])


def _group_alternatives(
    mistakes: Iterable[tuple[Place, ErrorDetails]],
) -> list[tuple[Place, list[ErrorDetails]]]:
    """Join the errors of the alternatives that a setting allows ("text or a list") to one mistake.

    An error inside an alternative of the right type says more than that the others have another type.
    """
    groups: dict[str, list[tuple[Place, ErrorDetails]]] = {}
    for number, (place, detail) in enumerate(mistakes):
        groups.setdefault(f"{number}" if place.union is None else f"union {place.union}", []).append((place, detail))
    grouped = []
    for group in groups.values():
        telling = [each for each in group if each[1]["type"] not in _TYPES or each[0].path != each[0].union]
        place = (telling or group)[0][0]
        grouped.append((place, [detail for _, detail in (telling[:1] or group)]))
    return grouped


def _sentence(place: Place, details: list[ErrorDetails], model: type[BaseModel]) -> str:
    detail, path = details[0], place.path
    given, advice = f"but {_show(detail['input'])} was given", ""
    match detail["type"]:
        case "extra_forbidden":
            said, advice = f"unknown setting {path}", _suggest_key(place, model)
        case "missing":
            said, advice = f"{path} is missing, but required", "add it"
        case "union_tag_invalid":
            kinds, kind = detail["ctx"]["expected_tags"], detail["ctx"]["tag"]
            said = f"{path}.kind must be one of {kinds}, but {kind!r} was given"
            advice = _suggest_value(kind, kinds)
        case "union_tag_not_found":
            known = ", ".join(repr(tag_of(cls)) for cls in place.alternatives)
            said, advice = f"{path}.kind is missing, but required", f"add one of {known}" if known else "add it"
        case "literal_error":
            allowed = detail["ctx"]["expected"]
            said, advice = f"{path} must be {allowed}, {given}", _suggest_value(detail["input"], allowed)
        case "value_error":
            said = _own_words(detail["msg"].removeprefix("Value error, "), place)
        case kind if kind in _TYPES:
            allowed = " or ".join(dict.fromkeys(_TYPES[each["type"]] for each in details))
            said, advice = f"{path} must be {allowed}, {given}", _advise(detail, place)
        case _:
            said = f"{path} must {_rule(detail)}, {given}"
    return f"{said}; {advice}" if advice else said


def _rule(detail: ErrorDetails) -> str:
    """Say the rule that a value of the right type breaks."""
    context: dict[str, Any] = detail.get("ctx", {})
    match detail["type"]:
        case "too_short":
            return f"hold {context['min_length']} or more elements"
        case "string_too_short":
            return f"have {context['min_length']} or more characters"
        case "string_too_long":
            return f"have {context['max_length']} or fewer characters"
        case "string_pattern_mismatch":
            return f"match the pattern {context['pattern']}"
        case _:
            message = detail["msg"]
            return re.sub(r"^Input should ", "", message) if message.startswith("Input should ") else f"hold: {message}"


def _own_words(reason: str, place: Place) -> str:
    """Complete the names of settings in the subject of our own message ("label must ...") to paths."""
    path = place.path
    subject, must, rest = reason.partition("must ")
    if not path or not must or reason.startswith(f"{path}."):
        return reason if not path or reason.startswith(f"{path}.") else f"{path}: {reason}"
    known = place.holder.model_fields if place.holder else {}
    named = re.sub(r"\w+", lambda word: f"{path}.{word[0]}" if word[0] in known else word[0], subject)
    if named != subject:
        return f"{named}must {rest}"
    return f"{path} must {rest}" if subject.strip() in {"", path.rpartition(".")[2]} else f"{path}: {reason}"


def _suggest_key(place: Place, model: type[BaseModel]) -> str:
    owner, key = place.owner, place.path.rpartition(".")[2]
    if owner is None:
        return "remove it"
    known = sorted(owner.model_fields)
    listed = f"known here: {', '.join(known)}"
    near = did_you_mean(key, [*known, *getattr(owner, "also_known", ())])
    elsewhere = list(dict.fromkeys(paths_of_key(key, model)))
    if place.path in elsewhere and not near:
        near = "only other kinds have it"
    elif elsewhere and not near:
        near = f"did you mean {' or '.join(elsewhere[:3])}?"
    return f"{near} ({listed})" if near else listed


def _suggest_value(given: object, allowed: str) -> str:
    """Suggest the nearest of the allowed values, listed as pydantic lists them: ``'a', 'b' or 'c'``."""
    texts = [ast.literal_eval(quoted) for quoted in re.findall(r"'[^']*'", allowed)]
    return did_you_mean(given, texts, quoted=True) if isinstance(given, str) else ""


def _advise(detail: ErrorDetails, place: Place) -> str:
    """Say how to write a value that YAML has read as another type."""
    given = detail["input"]
    if detail["type"] == "string_type" and isinstance(given, bool):
        words = "yes, on or true" if given else "no, off or false"
        return f"YAML reads a bare {words} as a truth value: write it in quotes"
    if detail["type"] == "string_type" and isinstance(given, int | float | date):
        return "write it in quotes"
    kinds = [tag_of(cls) for cls in place.alternatives]
    if detail["type"] in {"model_type", "model_attributes_type"} and given in kinds:
        return f"try {{kind: {given}}}"
    return ""


def _show(value: object) -> str:
    """Show a value that was given, cut if it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
