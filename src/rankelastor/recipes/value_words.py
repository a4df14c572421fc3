"""Say in words which values a setting takes, and how its default is written, from its JSON schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

_SIMPLE = {"boolean": "true or false", "null": "null", "string": "text", "object": "mapping"}
_NUMBERS = {"integer": "whole number", "number": "number"}
_LARGE = 2**20


def value_words(schema: Mapping[str, Any]) -> str:
    """Say which values a setting takes.

    Args:
        schema: the JSON schema of the setting.

    Example:
        >>> value_words({"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "null"}]})
        'whole number from 1, or null'
        >>> value_words({"type": "array", "items": {"enum": ["hour", "weekday"]}, "minItems": 1})
        'list of `hour` or `weekday`, not empty'
    """
    words = "settings" if "$ref" in schema else ""
    if alternatives := [value_words(each) for each in schema.get("anyOf", ())]:
        words = join_words([each for each in alternatives if each != "null"], also_null="null" in alternatives)
    elif "discriminator" in schema:
        words = f"settings of `kind` {join_words([f'`{kind}`' for kind in kinds_of(schema)])}"
    elif "enum" in schema or "const" in schema:
        words = join_words([f"`{value}`" for value in schema.get("enum", [schema.get("const")])])
    return words or _type_words(schema)


def _type_words(schema: Mapping[str, Any]) -> str:
    match schema.get("type"):
        case "integer" | "number" as kind:
            return " ".join([_NUMBERS[kind], *_range(schema)]).replace(" ,", ",")
        case "array":
            items = schema["items"]
            held = value_words(items) if "discriminator" in items else _plural(value_words(items))
            return f"list of {held}" + (", not empty" if schema.get("minItems") else "")
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return f"mapping of names to {_plural(value_words(schema['additionalProperties']))}"
        case "string" if schema.get("maxLength") == 1:
            return "one character"
        case kind:
            return _SIMPLE.get(str(kind), "")


def default_words(value: object) -> str:
    """Write a default as it stands in YAML.

    Example:
        >>> default_words(None), default_words(1e-6), default_words(10.0), default_words(["hour", "weekday"])
        ('null', '1e-6', '10.0', '[hour, weekday]')
    """
    if isinstance(value, float):
        return repr(value).replace("e-0", "e-").replace("e+0", "e+")
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000)
    return text.removesuffix("...\n").strip()


def _range(schema: Mapping[str, Any]) -> list[str]:
    """Say the range of a number: whole numbers by their first and last value."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if schema["type"] == "integer":
        low = above + 1 if above is not None else low
        high = below - 1 if below is not None else high
        above = below = None
    words = [f"from {low:g}"] if low is not None else [f"above {above:g}"] if above is not None else []
    if below is not None:
        words.append(f", below {below:g}" if words else f"below {below:g}")
    elif high is not None:
        words.append(f"to {_number(high)}" if low is not None else f", at most {_number(high)}")
    return words


def _number(value: float) -> str:
    if isinstance(value, int) and value > _LARGE and (value + 1).bit_count() == 1:
        return f"2^{(value + 1).bit_length() - 1} - 1"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def kinds_of(schema: Mapping[str, Any]) -> list[str]:
    """List the values of ``kind`` in the JSON schema of a choice, in the order in which they are declared."""
    names = {reference: kind for kind, reference in schema["discriminator"]["mapping"].items()}
    return [names[each["$ref"]] for each in schema["oneOf"]]


def join_words(words: list[str], *, also_null: bool = False) -> str:
    """Join alternatives by commas and "or".

    Example:
        >>> join_words(["a", "b", "c"]), join_words(["text"], also_null=True)
        ('a, b or c', 'text or null')
    """
    first, last = ", ".join(words[:-1]), words[-1:]
    text = " or ".join([first, *last]) if first else "".join(last)
    return f"{text}{', ' if first or ' ' in text else ' '}or null" if also_null else text


def _plural(words: str) -> str:
    """Form the plural of what a list holds.

    Example:
        >>> _plural("text"), _plural("whole number from 1"), _plural("`a` or `b`")
        ('texts', 'whole numbers from 1', '`a` or `b`')
    """
    for noun in ("text", "number", "mapping", "list"):
        if words.startswith((noun, f"whole {noun}")):
            return words.replace(noun, f"{noun}s", 1)
    return words
