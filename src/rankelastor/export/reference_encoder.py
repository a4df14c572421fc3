"""Encode raw rows as the ids and numbers that an exported ranker takes, by the ``encoding.json`` beside this file.

It needs Python 3.11 or later and nothing else, and says in plain code what an encoder in another language must do.
As a program it reads rows as lines of JSON and writes the inputs of the ranker as JSON:

.. code-block:: text

    python encode.py < rows.jsonl > inputs.json

A row maps the names of columns to cells: None (blank), a text, a number, a truth value, a date, a time, a duration (of
``decimal`` and ``datetime``), or a list of those. Texts are read as cells of CSV files are.
"""

from __future__ import annotations

import ast
import json
import math
import re
import struct
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

BLANK = ""
PADDING_ID = 0
SPACES = " \t"
FLOAT32_MAX = (2.0 - 2.0**-23) * 2.0**127
FORMAT_VERSION = 1


class EncodingError(ValueError):
    """A row that cannot be encoded: a column is missing, or a cell is wrong."""


class Encoder:
    """Encoder of rows.

    Args:
        encoding: the contents of ``encoding.json``.

    Example:
        >>> site = {"kind": "categorical", "name": "site", "column": "site", "text": "canonical", "vocabulary": "site"}
        >>> encoding = {
        ...     "format_version": 1, "blanks": [], "decimal": ".", "thousands": None, "spelling_version": 2,
        ...     "inputs": [{"name": "categorical", "features": ["site"]}],
        ...     "features": [site | {"blank": "value", "is_served": False}],
        ...     "vocabularies": {"site": ["a", "b"]}, "salt": None,
        ... }
        >>> Encoder(encoding).encode([{"site": "b"}, {"site": "unseen"}])
        {'categorical': [[2], [3]]}
    """

    def __init__(self, encoding: Mapping[str, Any]) -> None:
        if encoding["format_version"] != FORMAT_VERSION:
            raise EncodingError(
                f"format_version must be {FORMAT_VERSION}, but is {encoding['format_version']}; use the encode.py that "
                "came with the encoding"
            )
        self.encoding = encoding
        self._features = {feature["name"]: feature for feature in encoding["features"]}
        given = encoding.get("given_ids", {})
        self._ids = {
            name: dict(zip(values, given.get(name, range(1, len(values) + 1)), strict=True))
            for name, values in encoding["vocabularies"].items()
        }
        self._unseen = {name: len(ids) + 1 for name, ids in self._ids.items()} | encoding.get("unseen_ids", {})
        self._cells = _Cells(encoding)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read ``encoding.json``."""
        return cls(json.loads(Path(path).read_text(encoding="utf-8")))

    def encode(self, rows: Iterable[Mapping[str, object]]) -> dict[str, list[list[Any]]]:
        """Encode rows: a list of ids or numbers per row for each input of the ranker, by the name of the input.

        Raises:
            EncodingError: a column is missing or a cell is wrong; the message names the row and column.
        """
        inputs: dict[str, list[list[Any]]] = {each["name"]: [] for each in self.encoding["inputs"]}
        for number, row in enumerate(rows, start=1):
            for each in self.encoding["inputs"]:
                values: list[Any] = []
                for name in each["features"]:
                    values += self._encoded(self._features[name], row, number)
                inputs[each["name"]].append(values)
        return inputs

    def _encoded(self, feature: Mapping[str, Any], row: Mapping[str, object], number: int) -> list[Any]:
        column = feature["column"]
        if feature["is_served"] and column not in row:
            return [0]  # the ranker puts a value of its own in the place of whatever stands here
        for needed in (column, feature.get("other"), feature.get("candidate")):
            if needed is not None and needed not in row:
                raise EncodingError(f"row {number} must have the column {needed!r}, but does not")
        try:
            return _ENCODED[feature["kind"]](self, feature, row)
        except EncodingError as error:
            raise EncodingError(f"row {number}, column {column!r} {error}") from None

    def _categorical(self, feature: Mapping[str, Any], row: Mapping[str, object]) -> list[int]:
        return [self._id(feature, self._cells.text(row[feature["column"]], feature["text"]))]

    def _hashed(self, feature: Mapping[str, Any], row: Mapping[str, object]) -> list[int]:
        text = self._cells.text(row[feature["column"]], feature["text"])
        if text == BLANK and feature["blank"] != "value":
            return [PADDING_ID if feature["blank"] == "padding" else feature["num_buckets"] + 1]
        return [murmurhash3_32(_utf8(text)) % feature["num_buckets"] + 1]

    def _crossed(self, feature: Mapping[str, Any], row: Mapping[str, object]) -> list[int]:
        cells = [self._cells.text(row[feature[name]], feature["text"]) for name in ("column", "other")]
        pair = " & ".join(cell.replace("&", "&&") for cell in cells) if any(cells) else BLANK
        return [self._id(feature, pair)]

    def _sequence(self, feature: Mapping[str, Any], row: Mapping[str, object]) -> list[int]:
        elements = self._cells.elements(row[feature["column"]], feature, feature["max_length"])
        ids = [self._id(feature, element) for element in elements]
        return [PADDING_ID] * (feature["max_length"] - len(ids)) + ids

    def _last_element(self, feature: Mapping[str, Any], row: Mapping[str, object]) -> list[int]:
        place = feature["place"]
        elements = self._cells.elements(row[feature["column"]], feature, place)
        return [self._id(feature, elements[-place]) if len(elements) >= place else PADDING_ID]

    def _match(self, feature: Mapping[str, Any], row: Mapping[str, object]) -> list[int]:
        elements = self._cells.elements(row[feature["column"]], feature, feature["max_length"])
        candidate = self._cells.text(row[feature["candidate"]], feature["text"])
        if candidate == BLANK or not any(elements):
            return [PADDING_ID]
        steps = [step for step, element in enumerate(reversed(elements), start=1) if element == candidate]
        number = len(steps) if feature["part"] == "times_seen" else min(steps, default=0)
        return [bisect_right(feature["firsts"], number) + 1]

    def _calendar(self, feature: Mapping[str, Any], row: Mapping[str, object]) -> list[int]:
        moment = self._cells.moment(row[feature["column"]], feature["format"])
        return [self._id(feature, BLANK if moment is None else _part(moment, feature["part"]))]

    def _numeric(self, feature: Mapping[str, Any], row: Mapping[str, object]) -> list[float]:
        number = self._cells.number(row[feature["column"]], feature)
        if number is None:
            if feature["blank"] is None:
                raise EncodingError("must not be blank, but is")
            number = feature["blank"] + 0.0
        low, high = feature["minimum"], feature["maximum"]
        if math.isinf(number):
            number = high if number > 0 else low
        match feature["transform"]:
            case "log":
                return [_float32(math.copysign(math.log1p(abs(number)), number))]
            case "standardise":
                return [_float32(_scaled(number, feature["mean"], feature["standard_deviation"]))]
            case "min_max":
                return [_float32(_scaled(number, low, high - low))]
        return [_float32(number)]

    def _quantile(self, feature: Mapping[str, Any], row: Mapping[str, object]) -> list[int]:
        number = self._cells.number(row[feature["column"]], feature)
        if number is None:
            return [PADDING_ID if feature["blank"] == "padding" else len(feature["edges"]) + 2]
        return [bisect_right(feature["edges"], number) + 1]

    def _piecewise_linear(self, feature: Mapping[str, Any], row: Mapping[str, object]) -> list[float]:
        number, edges = self._cells.number(row[feature["column"]], feature), feature["edges"]
        if number is None:
            return [0.0]
        place = bisect_right(edges, number)
        if place in {0, len(edges)}:
            return [float(max(1, place))]
        below, above = edges[place - 1], edges[place]
        return [_float32(1 / (above - below) * (number - below) + place)]

    def _id(self, feature: Mapping[str, Any], text: str) -> int:
        if text == BLANK and feature["blank"] == "padding":
            return PADDING_ID
        ids = self._ids[feature["vocabulary"]]
        if salt := self.encoding["salt"]:
            text = blake2b(_utf8(text), digest_size=16, key=bytes.fromhex(salt)).hexdigest()
        index: int = ids.get(text, self._unseen[feature["vocabulary"]])
        return index


_ENCODED: dict[str, Callable[[Encoder, Mapping[str, Any], Mapping[str, object]], list[Any]]] = {
    "categorical": Encoder._categorical,  # noqa: SLF001 - methods of this file, by kind
    "hashed": Encoder._hashed,  # noqa: SLF001
    "crossed": Encoder._crossed,  # noqa: SLF001
    "sequence": Encoder._sequence,  # noqa: SLF001
    "last_element": Encoder._last_element,  # noqa: SLF001
    "match": Encoder._match,  # noqa: SLF001
    "numeric": Encoder._numeric,  # noqa: SLF001
    "quantile": Encoder._quantile,  # noqa: SLF001
    "piecewise_linear": Encoder._piecewise_linear,  # noqa: SLF001
    "calendar": Encoder._calendar,  # noqa: SLF001
}


KINDS = tuple(_ENCODED)


class _Cells:
    """Reader of cells by the marks and blanks of an encoding."""

    def __init__(self, encoding: Mapping[str, Any]) -> None:
        self._blanks = list(encoding["blanks"])
        self._decimal, self._thousands = encoding["decimal"], encoding["thousands"]
        self._has_marks = (self._decimal, self._thousands) != (".", None)
        self._respells = encoding["spelling_version"] > 1
        numbers = (self._read_number(blank.strip(SPACES)) for blank in self._blanks)
        self._blank_numbers = {each for each in numbers if each is not None and not math.isnan(each)}

    def text(self, cell: object, rule: str, *, are_ids: bool = True) -> str:
        """Spell a cell: one text for one value, whatever its type; blanks are ``""``."""
        if isinstance(cell, float) and not self._respells:
            raise EncodingError(f"must hold texts, as the log of the training did, but {cell!r} was given")
        text = cell if isinstance(cell, str) else _spelled(cell, are_ids=are_ids)
        text = self._respelled(text, rule)
        return BLANK if text in [self._respelled(blank, rule) for blank in self._blanks] else text

    def _respelled(self, text: str, rule: str) -> str:
        """Write ``12.0`` as ``12`` and ``TRUE`` as ``true`` by the rule ``canonical``; spaces alone are a blank."""
        if not self._respells:
            return text
        if not text.strip(SPACES):
            return BLANK
        if rule == "canonical":
            if whole := re.fullmatch(r"(-?(?:0|[1-9][0-9]*))\.0+", text):
                return "0" if whole[1] == "-0" else whole[1]
            return text.lower() if text in {"True", "TRUE", "False", "FALSE"} else text
        return text

    def elements(self, cell: object, feature: Mapping[str, Any], most: int) -> list[str]:
        """Read the newest ``most`` elements of a list; a blank cell has none, or one that is blank."""
        separator, rule = feature["separator"], feature["text"]
        if separator is None:
            if cell is None:
                return []
            if not isinstance(cell, list | tuple):
                raise EncodingError(f"must hold a list, but {cell!r} was given")
            return [self.text(element, rule) for element in cell[-most:]]
        if isinstance(cell, list | tuple):
            raise EncodingError(f"must hold a text with the separator {separator!r}, but a list was given")
        text = self.text(cell, "as_written")
        if separator == "json":
            return [self.text(element, rule) for element in self._list_of(text)[-most:]]
        strips = rule == "canonical" and self._respells
        if strips and _is_list(text):
            raise EncodingError(f"must hold elements with {separator!r} between them, but {text[:60]!r} was given")
        parts = text.split(separator)[-most:]
        return [self.text(part.strip(SPACES) if strips else part, rule) for part in parts]

    def _list_of(self, text: str) -> list[str]:
        found = read_list(text)
        if found is None:
            raise EncodingError(f"must hold a list of texts and numbers, but {text[:60]!r} was given")
        return found

    def number(self, cell: object, feature: Mapping[str, Any]) -> float | None:
        """Read a cell as a number; None if it is blank."""
        unit = feature["unit"]
        number = self._number_of_text(cell, unit) if isinstance(cell, str) else _typed_number(cell, unit)
        if number is None or number in self._blank_numbers:
            return None
        if math.isnan(number):
            if isinstance(cell, str):
                raise EncodingError(f"must hold finite numbers, but {cell!r} was given")
            return None
        if math.isinf(number) and feature["infinite"] == "refuse":
            raise EncodingError(f"must hold finite numbers, but {cell!r} was given")
        _refuse_too_large(number, self._plain(cell) if isinstance(cell, str) else cell)
        return number + 0.0

    def _number_of_text(self, text: str, unit: str | None) -> float | None:
        stripped = text.strip(SPACES)
        if stripped in {BLANK, *self._blanks} or text in self._blanks:
            return None
        number = self._read_number(stripped)
        if number is None and unit is not None and (moment := parse_time(stripped, "iso")) is not None:
            number = None if moment.instant is None else moment.instant / _NANOSECONDS[unit]
        if number is None:
            raise EncodingError(f"must hold numbers, but {text!r} was given")
        return number

    def _read_number(self, stripped: str) -> float | None:
        plain = self._plain(stripped)
        return float(plain) if plain is not None and _NUMBER.fullmatch(plain) else None

    def _plain(self, text: str) -> str | None:
        """Rewrite a number with a point and without thousands separators; None if it has other marks."""
        text = text.strip(SPACES)
        if not self._has_marks:
            return text
        decimal, thousands = re.escape(self._decimal), re.escape(self._thousands or "")
        digits = rf"(?:[0-9]+|[0-9]{{1,3}}(?:{thousands}[0-9]{{3}})+)" if thousands else "[0-9]+"
        if not re.fullmatch(rf"[+-]?(?:{digits}(?:{decimal}[0-9]*)?|{decimal}[0-9]+)(?:[eE][+-]?[0-9]+)?", text):
            return None
        return (text.replace(self._thousands, "") if self._thousands else text).replace(self._decimal, ".", 1)

    def moment(self, cell: object, time_format: str) -> int | None:
        """Read a cell as a time as it is written: microseconds since 1970; None if it is blank."""
        if isinstance(cell, date):
            return _micros(cell)
        text = self.text(cell, "as_written", are_ids=False)
        if text == BLANK:
            return None
        is_count = isinstance(cell, str) and time_format.startswith("epoch")
        found = parse_time((self._plain(text) if is_count else None) or text, time_format)
        if found is None:
            raise EncodingError(f"must hold times as {time_format}, but {text!r} was given")
        return found.local


_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE | re.ASCII
)
_NANOSECONDS = {
    "milliseconds": 10**6,
    "seconds": 10**9,
    "minutes": 60 * 10**9,
    "hours": 3600 * 10**9,
    "days": 86400 * 10**9,
}
_BEYOND_64_BITS = 2**63
_FIRST_SHARED = 2**53
"""The smallest whole float that stands for two whole numbers."""


def _spelled(cell: object, *, are_ids: bool) -> str:
    """Write a typed cell as text; nothing and NaN are blank."""
    match cell:
        case None:
            return BLANK
        case bool() | int():
            return str(cell).lower()
        case float():
            return _spelled_float(cell, are_ids=are_ids)
        case Decimal():
            return _spelled_decimal(cell)
        case date() | time() | timedelta():
            return _spelled_time(cell)
    raise EncodingError(f"must hold one text, number or time per row, but {cell!r} was given")


def _spelled_decimal(number: Decimal) -> str:
    text = f"{number:f}"
    text = _without_zeros(text) if "." in text else text
    return "0" if text == "-0" else text


def _spelled_float(number: float, *, are_ids: bool) -> str:
    if math.isnan(number):
        return BLANK
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    if abs(number) >= _FIRST_SHARED and are_ids:
        raise EncodingError(f"must hold whole numbers below 2^53 where they are floats, but {number:.0f} was given")
    return str(int(number)) if number == int(number) and abs(number) < _FIRST_SHARED else repr(number)


def _spelled_time(moment: date | time | timedelta) -> str:
    if isinstance(moment, timedelta):
        seconds, micros = divmod(abs(_exact_micros(moment)), 10**6)
        return ("-" if moment < timedelta() else "") + _without_zeros(f"{seconds}.{micros:06}")
    if isinstance(moment, time):
        return _without_zeros(moment.isoformat(timespec="microseconds"))
    if not isinstance(moment, datetime):
        return moment.isoformat()
    if moment.tzinfo is None:
        return _without_zeros(moment.isoformat(sep=" ", timespec="microseconds"))
    utc = (moment - (moment.utcoffset() or timedelta())).replace(tzinfo=None)
    return _without_zeros(utc.isoformat(sep=" ", timespec="microseconds")) + "Z"


def _without_zeros(text: str) -> str:
    return text.rstrip("0").removesuffix(".")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise EncodingError(f"must hold texts that UTF-8 can write, but {text!r} was given") from None


def _typed_number(cell: object, unit: str | None) -> float | None:
    match cell:
        case None:
            return None
        case int() | float() | Decimal():  # truth values are whole numbers
            try:
                return float(cell)
            except OverflowError:
                raise EncodingError(f"must hold integers that fit in 64 bits, but {cell!r} was given") from None
        case date() | time() | timedelta() if unit is not None:
            return _counted(cell, _NANOSECONDS[unit])
        case date() | time() | timedelta():
            raise EncodingError(f"must hold numbers, since its times have no unit, but {cell!r} was given")
    raise EncodingError(f"must hold numbers, but {cell!r} was given")


def _counted(cell: date | time | timedelta, unit: int) -> float:
    """Count the units of a duration, since midnight, or since 1970 in UTC."""
    if isinstance(cell, time):
        return (_seconds_of(cell) * 10**6 + cell.microsecond) / (unit // 1000)
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return float(_days_since_1970(cell.year, cell.month, cell.day)) * (_NANOSECONDS["days"] // unit)
    if isinstance(cell, timedelta):
        return _exact_micros(cell) / (unit // 1000)
    offset = cell.utcoffset() or timedelta()
    return (_micros(cell) - _exact_micros(offset)) / (unit // 1000)


def _refuse_too_large(number: float, cell: object) -> None:
    """Refuse integers that do not fit in 64 bits, and numbers that float32 cannot hold."""
    is_integer = isinstance(cell, int) or (isinstance(cell, str) and re.fullmatch(r"[+-]?[0-9]+", cell) is not None)
    if is_integer and not -_BEYOND_64_BITS <= int(cell) < _BEYOND_64_BITS:  # type: ignore[call-overload] # of digits
        raise EncodingError(f"must hold integers that fit in 64 bits, but {cell!r} was given")
    if math.isfinite(number) and abs(number) > FLOAT32_MAX:
        raise EncodingError(f"must hold numbers of magnitude 3.4e38 at most, but {cell!r} was given")


def _scaled(number: float, zero: float, unit: float) -> float:
    return min(max((number - zero) / (unit or 1.0), -FLOAT32_MAX), FLOAT32_MAX)


def _float32(number: float) -> float:
    """Round to the nearest number that 32 bits hold."""
    (rounded,) = struct.unpack("f", struct.pack("f", number))
    return float(rounded)


def murmurhash3_32(data: bytes) -> int:
    """Compute MurmurHash3 of 32 bits with seed 0.

    Example:
        >>> murmurhash3_32(b"a"), murmurhash3_32(b"hello world")
        (1009084850, 1586663183)
    """
    low, hashed = 0xFFFFFFFF, 0
    for start in range(0, len(data), 4):
        block = data[start : start + 4]
        word = int.from_bytes(block, "little") * 0xCC9E2D51 & low
        word = (word << 15 | word >> 17) & low
        hashed ^= word * 0x1B873593 & low
        if len(block) == 4:  # noqa: PLR2004 - a block of 32 bits
            hashed = ((hashed << 13 | hashed >> 19) & low) * 5 + 0xE6546B64 & low
    hashed ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        hashed = (hashed ^ hashed >> shift) * factor & low
    return hashed ^ hashed >> 16


_WORDS = {"None": "null", "nan": "NaN", "True": "true", "False": "false"}
_NUMPY = re.compile(r"\s*\[[\s\d.eE+-]+\]\s*")


def read_list(text: str) -> list[str] | None:
    """Read the elements of a list as JSON or Python write it, as texts; None if the text is no such list.

    Example:
        >>> read_list('["a", 1.50, null, true]'), read_list("['a', None]"), read_list("a, b")
        (['a', '1.50', '', 'true'], ['a', ''], None)
    """
    if not text.strip():
        return [BLANK]
    if not text.lstrip().startswith(("[", "(")):
        return None
    values = _parsed_list(text)
    if values is None or any(isinstance(value, list | tuple | dict | set | bytes | complex) for value in values):
        return None
    return [_element(value) for value in values] or [BLANK]


def _parsed_list(text: str) -> Sequence[object] | None:
    is_plain = "'" in text or '"' in text
    plain = text if is_plain else re.sub(r"\b(None|nan|True|False)\b", lambda word: _WORDS[word[0]], text)
    names = {"NaN": None, "Infinity": "inf", "-Infinity": "-inf"}
    try:
        values = json.loads(plain, parse_float=str, parse_int=str, parse_constant=names.__getitem__)
    except (ValueError, RecursionError):
        try:
            values = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return None
    return values if isinstance(values, list | tuple) else None


def _element(value: object) -> str:
    if value is None:
        return BLANK
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_list(text: str) -> bool:
    """Tell a list as JSON, Python or NumPy write it, ``[1, 2]``, from a text such as ``[draft]``."""
    if not re.fullmatch(r"\s*\[.*\]\s*", text, re.DOTALL):
        return False
    return read_list(text) is not None or _NUMPY.fullmatch(text) is not None


class Moment:
    """A time: ``local``, the microseconds from 1970 to it as it is written; the rest in nanoseconds; the offset."""

    def __init__(self, local: int, rest: int = 0, offset_minutes: int = 0) -> None:
        self.local, self.rest, self.offset_minutes = local, rest, offset_minutes

    @property
    def instant(self) -> int | None:
        """Nanoseconds since 1970 in UTC; None beyond the years 1678 to 2261, which 64 bits do not hold."""
        micros = self.local - self.offset_minutes * 60 * 10**6
        return micros * 1000 + self.rest if abs(micros) < _LAST_SECOND * 10**6 else None


_EPOCH_DIGITS = {"epoch_seconds": 0, "epoch_milliseconds": 3, "epoch_microseconds": 6, "epoch_nanoseconds": 9}
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})(?:-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(Z| ?[+-][0-9]{2}(?::?[0-9]{2})?)?)?)?"
)
_LAST_SECOND = 9_223_372_036
_NAMES = {"a", "A", "b", "B"}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_ENDS_OF_MONTHS = ["uary", "ruary", "ch", "il", "", "e", "y", "ust", "tember", "ober", "ember", "ember"]
_WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_ENDS_OF_WEEKDAYS = ["day", "sday", "nesday", "rsday", "day", "urday", "day"]


def parse_time(text: str, time_format: str) -> Moment | None:
    """Read a text as a time; None if it is none.

    Example:
        >>> moment = parse_time("1970-01-01T02:00:00.5+02:00", "iso")
        >>> moment.instant
        500000000
        >>> parse_time("14102123", "yymmddhh").local == parse_time("21.10.2014 23h", "%d.%m.%Y %Hh").local
        True
    """
    text = text.strip(SPACES)
    if time_format in _EPOCH_DIGITS:
        return _parse_epoch(text, _EPOCH_DIGITS[time_format])
    if time_format == "iso":
        return _parse_iso(text)
    if time_format == "yymmddhh":
        return _parse_pattern(text, "%y%m%d%H") if re.fullmatch(r"[0-9]{8}", text) else None
    return _parse_pattern(text, time_format)


def _parse_iso(text: str) -> Moment | None:
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    digits = fraction or ""
    if digits[9:].strip("0"):
        return None
    parts = {"Y": int(year), "m": int(month), "d": int(day or 1)}
    parts |= {"H": int(hour or 0), "M": int(minute or 0), "S": int(second or 0)}
    local = _local(parts)
    if local is None:
        return None
    rest = int(digits[:9].ljust(9, "0"))
    return Moment(local + rest // 1000, rest % 1000, _minutes(offset or "Z"))


def _parse_epoch(text: str, unit_digits: int) -> Moment | None:
    """Read a count of a unit since 1970; counts that are most likely of another unit are no times."""
    found = re.fullmatch(r"([+-]?)([0-9]+)(?:\.([0-9]*))?", text)
    if found is not None:
        whole, digits = int(found[2]), found[3] or ""
    elif _NUMBER.fullmatch(text) and abs(float(text)) < _FIRST_SHARED:
        whole, digits = math.floor(abs(float(text))), ""
    else:
        return None
    per_second, rest_digits = 10**unit_digits, 9 - unit_digits
    too_many = whole >= min(10**11 * per_second, _BEYOND_64_BITS - 1)
    too_few = unit_digits > 0 and 0 < whole < 10**8 * per_second
    if too_many or too_few or digits[rest_digits:].strip("0"):
        return None
    fraction = int(digits[:rest_digits].ljust(rest_digits, "0") or "0")
    nanoseconds = (whole * 10**rest_digits + fraction) * (-1 if text.startswith("-") else 1)
    return Moment(nanoseconds // 1000, nanoseconds % 1000)


_SAME_AS = {"D": "%m/%d/%y", "T": "%H:%M:%S", "R": "%H:%M", "F": "%Y-%m-%d"}
_WIDTHS = {"y": 2, "m": 2, "d": 2, "e": 2, "H": 2, "I": 2, "M": 2, "S": 2, "j": 3}
_OFFSET = re.compile(r"\s*(Z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)\Z")


def _parse_pattern(text: str, pattern: str) -> Moment | None:
    """Read a time by a pattern of strptime; day, hour and minute may be missing in it."""
    offset = 0
    if pattern.endswith("%z"):
        found = _OFFSET.search(text)
        if found is None:
            return None
        pattern, text, offset = pattern[:-2].rstrip(), text[: found.start()], _minutes(found[1])
    if re.search(r"\.[0-9]{7}", text):
        return None  # finer than what is kept
    for same, parts in _SAME_AS.items():
        pattern = pattern.replace(f"%{same}", parts)
    found_parts = _matched(text, pattern)
    local = None if found_parts is None else _local(found_parts)
    return None if local is None else Moment(local, 0, offset)


def _matched(text: str, pattern: str) -> dict[str, int] | None:
    """Read the parts of a time from a text by a pattern; None if it does not fit."""
    parts: dict[str, int] = {}
    marks: Iterator[str] = iter(re.findall(r"\.%f|%.|\s+|.", pattern, re.DOTALL))
    for mark in marks:
        if mark.isspace():
            text = text.lstrip()
        elif mark == ".%f":
            found = re.match(r"\.([0-9]+)", text)
            if text.startswith(".") and found is None:
                return None
            parts["f"] = int(found[1][:6].ljust(6, "0")) if found else 0
            text = text[found.end() :] if found else text
        elif mark.startswith("%") and mark != "%%":
            rest = _read_part(text, mark[1], parts)
            if rest is None:
                return None
            text = rest
        elif not text.startswith(mark[-1]):
            return None
        else:
            text = text[1:]
    return None if text else parts


def _read_part(text: str, directive: str, parts: dict[str, int]) -> str | None:
    """Read one part from the beginning of a text; return what follows it, None if it does not fit."""
    if directive in _NAMES:
        return _read_name(text, directive, parts)
    if directive == "p":
        if text[:2].lower() not in {"am", "pm"}:
            return None
        parts["p"] = 12 * (text[:2].lower() == "pm")
        return text[2:]
    text = text.lstrip()
    if directive == "Y":
        found = re.match(r"[+-][0-9]+|[0-9]{1,4}", text)
    else:
        found = re.match(rf"[0-9]{{1,{_WIDTHS[directive]}}}", text)
    if found is None:
        return None
    parts["d" if directive == "e" else directive] = int(found[0])
    return text[found.end() :]


def _read_name(text: str, directive: str, parts: dict[str, int]) -> str | None:
    names, ends = (_MONTHS, _ENDS_OF_MONTHS) if directive in {"b", "B"} else (_WEEKDAYS, _ENDS_OF_WEEKDAYS)
    if text[:3].lower() not in names:
        return None
    index = names.index(text[:3].lower())
    if directive in {"b", "B"}:
        parts["m"] = index + 1
    else:
        parts["a"] = index
    is_long = directive in {"A", "B"} and text[3:].lower().startswith(ends[index])
    return text[3 + len(ends[index]) :] if is_long else text[3:]


def _local(parts: Mapping[str, int]) -> int | None:
    """Compute the microseconds from 1970 to a time as it is written; None if there is no such time."""
    year = parts["Y"] if "Y" in parts else parts["y"] + (2000 if parts["y"] < 70 else 1900)  # noqa: PLR2004
    days = _days(year, parts)
    clock = _seconds(parts)
    if days is None or clock is None or ("a" in parts and (days + 3) % 7 != parts["a"]):
        return None
    return (days * 86400 + clock) * 10**6 + parts.get("f", 0)


def _days(year: int, parts: Mapping[str, int]) -> int | None:
    first = _days_since_1970(year, 1, 1)
    if "j" in parts:
        is_there = 1 <= parts["j"] <= _days_since_1970(year + 1, 1, 1) - first
        return first + parts["j"] - 1 if is_there else None
    month, day = parts["m"], parts.get("d", 1)
    if not 1 <= month <= 12:  # noqa: PLR2004 - months
        return None
    start = _days_since_1970(year, month, 1)
    end = _days_since_1970(year + month // 12, month % 12 + 1, 1)
    return start + day - 1 if 1 <= day <= end - start else None


def _seconds(parts: Mapping[str, int]) -> int | None:
    """Compute the seconds of the clock; a leap second counts as the next one."""
    hour, minute, second = parts.get("H", 0), parts.get("M", 0), parts.get("S", 0)
    if "I" in parts:
        if not 1 <= parts["I"] <= 12 or "p" not in parts:  # noqa: PLR2004 - hours of half a day
            return None
        hour = parts["I"] % 12 + parts["p"]
    return hour * 3600 + minute * 60 + second if hour < 24 and minute < 60 and second <= 60 else None  # noqa: PLR2004


def _days_since_1970(year: int, month: int, day: int) -> int:
    """Count the days from 1970 in the Gregorian calendar, for any year."""
    year -= month <= 2  # noqa: PLR2004 - years begin in March here, so that leap days come last
    day_of_year = (153 * (month + (9 if month <= 2 else -3)) + 2) // 5 + day - 1  # noqa: PLR2004
    return year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - 719468


def _minutes(offset: str) -> int:
    """Read an offset from UTC such as ``+02:00``, ``-0530`` or ``Z`` in minutes."""
    offset = offset.strip()
    if offset in {"Z", "UTC"}:
        return 0
    digits = offset[1:].replace(":", "").ljust(4, "0")
    return (int(digits[:2]) * 60 + int(digits[2:])) * (-1 if offset.startswith("-") else 1)


def _micros(moment: date) -> int:
    """Count the microseconds from 1970 to a date or a time as its clock shows it."""
    micros = _days_since_1970(moment.year, moment.month, moment.day) * 86400 * 10**6
    if not isinstance(moment, datetime):
        return micros
    return micros + _seconds_of(moment) * 10**6 + moment.microsecond


def _seconds_of(clock: datetime | time) -> int:
    return (clock.hour * 60 + clock.minute) * 60 + clock.second


def _exact_micros(duration: timedelta) -> int:
    return (duration.days * 86400 + duration.seconds) * 10**6 + duration.microseconds


def _part(micros: int, part: str) -> str:
    """Write the hour, the weekday (0 is Monday) or whether it is a weekend."""
    days, rest = divmod(micros, 86400 * 10**6)
    weekday = (days + 3) % 7
    values = {"hour": rest // (3600 * 10**6), "weekday": weekday, "weekend": int(weekday >= 5)}  # noqa: PLR2004
    return str(values[part])


def main() -> None:
    """Encode the rows of standard input, lines of JSON, by the ``encoding.json`` beside this file."""
    encoder = Encoder.load(Path(__file__).with_name("encoding.json"))
    rows = (json.loads(line) for line in sys.stdin if line.strip())
    json.dump(encoder.encode(rows), sys.stdout)


if __name__ == "__main__":
    main()
