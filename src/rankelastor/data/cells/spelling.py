"""Spell values: one text for one value, whatever its type and its file format."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

TextRule = Literal["canonical", "as_written"]
"""How texts are spelled: ``12.0`` as ``12`` and ``TRUE`` as ``true``, or as they are written."""

Spelling = Literal["canonical", "as_written", "version_1"]
"""A rule for texts, or that of prepared folders of format version 1: texts as written, typed values as Arrow writes."""

SPACES = " \t"
"""The marks that are ignored around numbers and elements; a cell of these alone is blank."""

_WHOLE = r"^(-?(?:0|[1-9][0-9]*))\.0+$"
_TRUTH = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}
_SHORTEST = 3
"""Length of the shortest text that is spelled otherwise, but for spaces: ``1.0``."""
_EXACT_BITS = {pa.float64(): 53, pa.float32(): 24, pa.float16(): 11}
_FRACTION_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def _table(marks: str) -> NDArray[np.bool_]:
    """Make a table that tells which bytes are among these marks."""
    table = np.zeros(256, dtype=bool)
    table[list(marks.encode())] = True
    return table


_IS_SPACE = _table(SPACES)
_MAY_CHANGE: dict[TextRule, NDArray[np.bool_]] = {"canonical": _table(f"{SPACES}0eE"), "as_written": _IS_SPACE}
_BEFORE_LAST = _table(".0uUsS")
_POSITIONAL = (1e-4, 1e10)
"""Arrow writes numbers of these magnitudes without an exponent and otherwise as Python does, but for its form."""


def exact_bits(kind: pa.DataType) -> int | None:
    """Return b so that a float of this type holds every whole number below 2^b; None for other types."""
    return _EXACT_BITS.get(kind)


def first_merged(values: pa.Array) -> int | None:
    """Find the first whole float that its type may have rounded, so that it may stand for several numbers.

    Example:
        >>> first_merged(pa.array([0.5, 2.0**53 - 1, 2.0**53]))
        2
    """
    bits = exact_bits(values.type)
    if bits is None:
        return None
    numbers = _floats(values)
    merged = np.isfinite(numbers) & (np.abs(numbers) >= 2.0**bits)
    return int(merged.argmax()) if merged.any() else None


def spell(values: pa.Array) -> pa.Array:
    """Spell typed values of any flat type as texts; NaN and NaT become null.

    Whole floats are spelled as integers, other floats by the fewest digits that tell them from others of their width,
    decimals without trailing zeros, truth values as ``true`` and ``false``, timestamps as ``2014-10-21 23:00:00.5``
    (with an offset: in UTC, with ``Z``), durations in seconds. Texts are returned as they are.

    Example:
        >>> spell(pa.array([12.0, -0.0, 0.1, float("nan")])).to_pylist()
        ['12', '0', '0.1', None]
        >>> spell(pa.array([Decimal("8.50")])).to_pylist()
        ['8.5']
    """
    kind = values.type
    if pa.types.is_floating(kind):
        return _spell_floats(values)
    if pa.types.is_decimal(kind):
        return _texts([None if cell is None else _plain(cell) for cell in values.to_pylist()])
    if pa.types.is_timestamp(kind):
        naive = values.view(pa.int64()).view(pa.timestamp(kind.unit))
        suffix = "" if kind.tz is None else "Z"
        return _without_zeros(naive, kind.unit, suffix)
    if pa.types.is_time(kind):
        return _without_zeros(values, kind.unit, "")
    if pa.types.is_duration(kind):
        digits = _FRACTION_DIGITS[kind.unit]
        counts = values.view(pa.int64()).to_pylist()
        return _texts([None if count is None else _plain(Decimal(count).scaleb(-digits)) for count in counts])
    return pc.cast(values, pa.large_string() if pa.types.is_large_string(kind) else pa.string())


def spell_texts(texts: pa.Array, rule: TextRule) -> pa.Array:
    """Spell texts: by ``canonical``, ``-?(0|[1-9][0-9]*)[.]0+`` loses its zeros and truth values are in small letters.

    With either rule a text of spaces alone becomes empty. All other texts stay as they are: ``1.10``, ``00123``,
    ``0e12``, `` a``. The bytes of the texts are looked at first, since few texts need a change.

    Args:
        texts: Arrow texts (``string`` or ``large_string``).
        rule: the rule for texts.

    Example:
        >>> spell_texts(pa.array(["12.0", "-0.00", "TRUE", "  ", "1.10", "a"]), "canonical").to_pylist()
        ['12', '0', 'true', '', '1.10', 'a']
    """
    places = _candidates(texts, rule)
    if not len(places):
        return texts
    before = pl.Series(texts.take(pa.array(places)), dtype=pl.String)
    after = before
    if rule == "canonical":
        whole = before.str.replace(_WHOLE, "${1}")
        whole = whole.zip_with(~((whole == "-0") & (before != "-0")).fill_null(value=False), pl.Series(["0"]))
        after = whole.replace(_TRUTH)
    after = after.zip_with(
        (after.str.strip_chars(SPACES) != "").fill_null(value=True), pl.Series([""], dtype=pl.String)
    )
    changed = (before != after).fill_null(value=False).to_numpy()
    if not changed.any():
        return texts
    mask = np.zeros(len(texts), dtype=bool)
    mask[places[changed]] = True
    return pc.replace_with_mask(texts, pa.array(mask), after.filter(pl.Series(changed)).to_arrow().cast(texts.type))


def _candidates(texts: pa.Array, rule: TextRule) -> NDArray[np.int64]:
    """Find the texts that may need a change, by their last two bytes: a space, ``ue`` or ``se``, ``00`` or ``.0``.

    One look-up per text is a small part of what numbering it costs.
    """
    large = pa.types.is_large_string(texts.type)
    _, offsets_buffer, data = texts.buffers()
    if data is None or not data.size or not len(texts):
        return np.zeros(0, dtype=np.int64)
    offsets: NDArray[Any] = np.frombuffer(offsets_buffer, dtype=np.int64 if large else np.int32)
    offsets = offsets[texts.offset : texts.offset + len(texts) + 1]
    marks = np.frombuffer(data, dtype=np.uint8)
    last = marks.take(offsets[1:] - 1, mode="clip")  # of an empty text, some other byte
    places = np.flatnonzero(_MAY_CHANGE[rule].take(last))
    ends, lengths = offsets[places + 1], offsets[places + 1] - offsets[places]
    second_last = marks.take(ends - 2, mode="clip")
    is_space = _IS_SPACE.take(last[places])
    fits = is_space | _BEFORE_LAST.take(second_last)
    found: NDArray[np.int64] = places[(lengths > 0) & fits & (is_space | (lengths >= _SHORTEST))]
    return found


def _floats(values: pa.Array) -> NDArray[np.floating]:
    """Return the floats with NaN for null, in their own width."""
    numbers: NDArray[np.floating] = values.to_numpy(zero_copy_only=False)
    return numbers.astype(values.type.to_pandas_dtype(), copy=False)


def _spell_floats(values: pa.Array) -> pa.Array:
    numbers = _floats(values)
    size = np.abs(numbers).astype(np.float64)
    is_whole = (numbers == np.floor(numbers)) & (size < 2.0**53)
    texts = np.empty(len(numbers), dtype=object)
    texts[is_whole] = pc.cast(pa.array(numbers[is_whole].astype(np.int64)), pa.string()).to_numpy(zero_copy_only=False)
    plain = ~is_whole & (size >= _POSITIONAL[0]) & (size < _POSITIONAL[1]) & (numbers.dtype != np.float16)
    if plain.any():
        texts[plain] = pc.cast(pa.array(numbers[plain]), pa.string()).to_numpy(zero_copy_only=False)
    for place in np.flatnonzero(~is_whole & ~plain & ~np.isnan(numbers)):
        texts[place] = str(numbers[place])
    return _texts(texts.tolist())


def _plain(number: Decimal) -> str:
    """Write a decimal without exponent and without trailing zeros; zero has no sign."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def _without_zeros(values: pa.Array, unit: str, suffix: str) -> pa.Array:
    """Write times as Arrow does, without the trailing zeros of the fraction of a second."""
    texts = pl.Series(pc.cast(values, pa.string()), dtype=pl.String)
    if _FRACTION_DIGITS[unit]:
        texts = texts.str.replace(r"\.?0*$", "")
    return (texts + suffix).to_arrow().cast(pa.string())


def _texts(texts: list[str | None]) -> pa.Array:
    return pa.array(texts, pa.string())
