"""Read texts as times, by a named format or a pattern of ``strptime``."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from pydantic import AfterValidator, WithJsonSchema

from rankelastor.data.cells.spelling import SPACES

EXAMPLES = {
    "yymmddhh": "14102123",
    "iso": "2014-10-21T23:00:00",
    "epoch_seconds": "1413932400",
    "epoch_milliseconds": "1413932400000",
    "epoch_microseconds": "1413932400000000",
    "epoch_nanoseconds": "1413932400000000000",
}
"""A time in each of the named formats."""

DIGITS_OF_EPOCHS = {"epoch_seconds": 0, "epoch_milliseconds": 3, "epoch_microseconds": 6, "epoch_nanoseconds": 9}
"""The formats that count from 1970, and the number of decimal digits of a second that their unit has."""

_DIRECTIVE = re.compile(r"%(.)")
_KNOWN_DIRECTIVES = "YymdeHIMSfpbBAajzTRDF%"
_ISO = (
    r"^(?<year>\d{4})-(?<month>\d{2})(?:-(?<day>\d{2})"
    r"(?:[T ](?<hour>\d{2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,](?<fraction>\d+))?)?"
    r"(?<offset>Z| ?[+-]\d{2}(?::?\d{2})?)?)?)?$"
)
_OFFSET = r"\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)$"
_EPOCH = r"^(?<sign>[+-]?)(?<whole>\d+)(?:\.(?<fraction>\d*))?$"
_NANOSECOND_DIGITS = 9
_EXACT = 2.0**53
_INT64_MAX = 2**63 - 1
_LAST_SECOND = 9_223_372_036
"""Seconds from 1970 that an int64 of nanoseconds holds: to April 2262, and back to September 1677."""
_TOO_MANY_SECONDS = 10**11
"""The year 5138. Larger numbers are a finer unit, and would silently give wrong hours."""
_TOO_FEW_SECONDS = 10**8
"""The year 1973. Smaller numbers, but for 0, are a coarser unit than milliseconds or finer ones."""


def _require_format(name: str) -> str:
    if name in EXAMPLES:
        return name
    if "%" not in name:
        near = difflib.get_close_matches(name, EXAMPLES, n=1)
        advice = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(
            f"format must be {', '.join(EXAMPLES)}, or a pattern such as %d/%m/%Y %H:%M, but {name!r} was given{advice}"
        )
    directives = set(_DIRECTIVE.findall(name))
    if unknown := sorted(directives.difference(_KNOWN_DIRECTIVES)):
        raise ValueError(f"format must use the directives %{' %'.join(_KNOWN_DIRECTIVES)}, but %{unknown[0]} was given")
    if not (directives & set("FD") or (directives & set("Yy") and directives & set("mbBj"))):
        raise ValueError(f"format must give year and month, but {name!r} does not; try %Y-%m-%d")
    if "%z" in name and not name.endswith("%z"):
        raise ValueError(f"format must have %z at its end, but {name!r} was given")
    if "%f" in name.replace(".%f", ""):
        raise ValueError(f"format must have %f behind a point, as in %S.%f, but {name!r} was given")
    return name


TimeFormat = Annotated[
    str,
    AfterValidator(_require_format),
    WithJsonSchema({"anyOf": [{"enum": list(EXAMPLES)}, {"type": "string", "pattern": "%"}]}),
]
"""The name of a format, or a pattern of ``strptime``."""


def example_of(time_format: str) -> str:
    """Write a time in this format, for messages.

    Example:
        >>> example_of("iso"), example_of("%d.%m.%Y")
        ('2014-10-21T23:00:00', '21.10.2014')
    """
    if time_format in EXAMPLES:
        return EXAMPLES[time_format]
    moment = pl.Series([EXAMPLES["iso"]]).str.to_datetime("%Y-%m-%dT%H:%M:%S")
    return str(moment.dt.strftime(time_format.replace(".%f", ".000").replace("%z", "+0000"))[0])


@dataclass(frozen=True)
class ParsedTimes:
    """Times as they are written, and their offsets from UTC.

    ``local`` are datetimes in microseconds, null if a text is no time; ``nanoseconds`` the rest below a microsecond;
    ``offset`` the minutes of the offset, null if none is written.
    """

    local: pl.Series
    nanoseconds: pl.Series
    offset: pl.Series

    @property
    def instants(self) -> pl.Series:
        """Nanoseconds since 1970 in UTC as int64, null if a text is no time or beyond the years 1678 to 2261."""
        micros = self.local.cast(pl.Int64)
        micros = micros - self.offset.fill_null(0) * 60_000_000
        micros = _null_where(micros, (micros.abs() >= _LAST_SECOND * 10**6).fill_null(value=False))
        return micros * 1000 + self.nanoseconds


def parse_times(texts: pl.Series, time_format: str) -> ParsedTimes:
    """Parse texts as times; spaces around them are ignored.

    Args:
        texts: the texts.
        time_format: ``yymmddhh``, ``iso``, ``epoch_seconds`` (or milliseconds, microseconds, nanoseconds; UTC), or a
            pattern of ``strptime``.

    Example:
        >>> parse_times(pl.Series(["14102123", "2014"]), "yymmddhh").local.to_list()
        [datetime.datetime(2014, 10, 21, 23, 0), None]
        >>> parse_times(pl.Series(["1970-01-01T02:00:00.5+02:00"]), "iso").instants.to_list()
        [500000000]
    """
    texts = texts.str.strip_chars(SPACES)
    if time_format in DIGITS_OF_EPOCHS:
        return _parse_epochs(texts, DIGITS_OF_EPOCHS[time_format])
    if time_format == "iso":
        return _parse_iso(texts)
    if time_format == "yymmddhh":
        digits = texts.str.extract(r"^(\d{8})$")
        return _without_rest(
            (digits + "00").str.to_datetime("%y%m%d%H%M", strict=False, time_unit="us"), _repeat(None, len(texts))
        )
    return _parse_pattern(texts, time_format)


def _parse_iso(texts: pl.Series) -> ParsedTimes:
    parts = texts.str.extract_groups(_ISO).struct.unnest()
    clock = [parts[name].fill_null("00") for name in ("hour", "minute", "second")]
    written = parts["year"] + "-" + parts["month"] + "-" + parts["day"].fill_null("01")
    written = written + "T" + clock[0] + ":" + clock[1] + ":" + clock[2]
    local = written.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us")
    fraction = _fraction(parts["fraction"].fill_null(""), _NANOSECOND_DIGITS)
    local = _null_where(local, fraction.is_null())
    return _split_rest(local, fraction.fill_null(0), _minutes(parts["offset"]))


def _parse_epochs(texts: pl.Series, unit_digits: int) -> ParsedTimes:
    """Parse counts of a unit since 1970, exactly if they are written without an exponent."""
    per_second, rest_digits = 10**unit_digits, _NANOSECOND_DIGITS - unit_digits
    parts = texts.str.extract_groups(_EPOCH).struct.unnest()
    numbers = texts.cast(pl.Float64, strict=False)
    has_exponent = (parts["whole"].is_null() & numbers.is_finite() & (numbers.abs() < _EXACT)).fill_null(value=False)
    whole = parts["whole"].cast(pl.Int64, strict=False)
    whole = whole.zip_with(~has_exponent, numbers.abs().floor().cast(pl.Int64, strict=False))
    fraction = _fraction(parts["fraction"].fill_null(""), rest_digits)
    wrong = whole.is_null() | fraction.is_null() | (whole >= min(_TOO_MANY_SECONDS * per_second, _INT64_MAX))
    if unit_digits:
        wrong = wrong | ((whole < _TOO_FEW_SECONDS * per_second) & (whole > 0))
    # Microseconds and the rest below them are computed from the seconds, so that neither overflows.
    rest = (whole % per_second) * 10**rest_digits + fraction
    sign = texts.str.starts_with("-").fill_null(value=False).cast(pl.Int64) * -2 + 1
    micros = _null_where(sign * (whole // per_second * 1_000_000 + rest // 1000), wrong)
    nanos = (sign * (rest % 1000)).fill_null(0)
    return _split_rest(micros.cast(pl.Datetime("us")), nanos, _repeat(0, len(texts)))


def _parse_pattern(texts: pl.Series, pattern: str) -> ParsedTimes:
    offset = _repeat(None, len(texts))
    has_offset = pattern.endswith("%z")
    if has_offset:
        pattern = pattern.removesuffix("%z").rstrip()
        offset = _minutes(texts.str.extract(_OFFSET))
        texts = texts.str.replace(_OFFSET, "")
    directives = set(_DIRECTIVE.findall(pattern))
    for missing, present, value in (("%d", "dejFD", "01"), ("%H", "HITR", "00"), ("%M", "MTR", "00")):
        if not directives & set(present):
            pattern, texts = f"{pattern} {missing}", texts + f" {value}"
    local = texts.str.to_datetime(pattern.replace(".%f", "%.f"), strict=False, time_unit="us")
    too_fine = texts.str.contains(r"\.\d{7}")  # strptime reads microseconds; what is finer would be cut off
    return _without_rest(_null_where(local, too_fine | (offset.is_null() & has_offset)), offset)


def _fraction(digits: pl.Series, places: int) -> pl.Series:
    """Read the digits behind a point as an integer of ``places`` digits; null if a later digit is not zero."""
    kept = ("0" + digits.str.slice(0, places)).str.pad_end(places + 1, "0")
    too_fine = digits.str.slice(places).str.contains("[1-9]").fill_null(value=False)
    return _null_where(kept.cast(pl.Int64, strict=False), too_fine)


def _minutes(offsets: pl.Series) -> pl.Series:
    """Read offsets such as ``+02:00``, ``-0530`` and ``Z`` as minutes; null if there is none."""
    parts = offsets.str.extract_groups(r"^ ?(?<sign>[+-])(?<hours>\d{2}):?(?<minutes>\d{2})?$").struct.unnest()
    size = parts["hours"].cast(pl.Int64) * 60 + parts["minutes"].fill_null("00").cast(pl.Int64)
    minutes = size * ((parts["sign"] == "-").cast(pl.Int64) * -2 + 1)
    is_utc = offsets.str.contains("^ ?(?:Z|UTC)$").fill_null(value=False)
    return minutes.zip_with(~is_utc, pl.Series([0], dtype=pl.Int64))


def _split_rest(local: pl.Series, nanoseconds: pl.Series, offset: pl.Series) -> ParsedTimes:
    """Carry whole microseconds of the rest over to the time."""
    return ParsedTimes(local + (nanoseconds // 1000).cast(pl.Duration("us")), nanoseconds % 1000, offset)


def _without_rest(local: pl.Series, offset: pl.Series) -> ParsedTimes:
    return ParsedTimes(local, _repeat(0, len(local)), offset)


def _repeat(value: int | None, length: int) -> pl.Series:
    return pl.repeat(value, length, dtype=pl.Int64, eager=True)


def _null_where(values: pl.Series, wrong: pl.Series) -> pl.Series:
    return values.zip_with(~wrong.fill_null(value=False), pl.Series([None], dtype=values.dtype))
