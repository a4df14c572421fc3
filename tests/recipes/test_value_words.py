from typing import Any

import pytest

from rankelastor.recipes.value_words import default_words, value_words


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer"}, "whole number"),
        ({"type": "integer", "minimum": 0, "exclusiveMaximum": 2**63}, "whole number from 0 to 2^63 - 1"),
        ({"type": "integer", "minimum": 1, "maximum": 100_000}, "whole number from 1 to 100,000"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "number above 0, at most 1"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "number from 0, below 1"),
        ({"type": "string", "minLength": 1, "maxLength": 1}, "one character"),
        ({"enum": ["a", "b", "c"]}, "`a`, `b` or `c`"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or null"),
        ({"type": "array", "items": {"type": "string"}}, "list of texts"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "mapping of names to numbers"),
        ({"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Label"}]}, "text or settings"),
    ],
)
def test_values_are_said_in_words(schema: dict[str, Any], words: str) -> None:
    assert value_words(schema) == words


def test_a_choice_names_its_kinds_as_declared() -> None:
    references = [{"$ref": "#/$defs/Z"}, {"$ref": "#/$defs/A"}]
    mapping = {"a": "#/$defs/A", "z": "#/$defs/Z"}
    choice = {"oneOf": references, "discriminator": {"mapping": mapping, "propertyName": "kind"}}
    assert value_words(choice) == "settings of `kind` `z` or `a`"
    assert value_words({"type": "array", "items": choice, "minItems": 1}) == (
        "list of settings of `kind` `z` or `a`, not empty"
    )


def test_defaults_are_written_as_in_yaml() -> None:
    assert default_words("auc") == "auc"
    assert default_words('"') == "'\"'"
    assert default_words({"kind": "full"}) == "{kind: full}"
