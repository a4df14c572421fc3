"""Read lists that are written as text, as JSON or Python write them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence

_PYTHON_WORDS = {"None": "null", "nan": "NaN", "True": "true", "False": "false"}
_PYTHON_WORD = re.compile(r"\b(None|nan|True|False)\b")


def read_list(text: str) -> list[str] | None:
    """Read the elements of a list as texts; None if the text is no list of texts, numbers and truth values.

    Numbers keep the form in which they are written. ``null``, ``None`` and NaN are blank elements; a blank text and a
    list without elements are one blank element.

    Example:
        >>> read_list('["a", 1.50, null, true]'), read_list("['a', None]"), read_list("[]"), read_list("a, b")
        (['a', '1.50', '', 'true'], ['a', ''], [''], None)
    """
    if not text.strip():
        return [""]
    if not text.lstrip().startswith(("[", "(")):
        return None
    values = _parse(text)
    if values is None or any(isinstance(value, list | tuple | dict | set | bytes | complex) for value in values):
        return None
    return [_text(value) for value in values] or [""]


def _parse(text: str) -> Sequence[object] | None:
    plain = text if "'" in text or '"' in text else _PYTHON_WORD.sub(lambda word: _PYTHON_WORDS[word[0]], text)
    try:
        values = json.loads(plain, parse_float=str, parse_int=str, parse_constant=_no_number)
    except (ValueError, RecursionError):
        try:
            values = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return None
    return values if isinstance(values, list | tuple) else None


def _no_number(name: str) -> str | None:
    return None if name == "NaN" else {"Infinity": "inf", "-Infinity": "-inf"}[name]


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
