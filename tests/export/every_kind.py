"""A small log with a field of every kind, and cells of every sort."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepare import prepare
from rankelastor.data.settings import DataSettings

HEADER = "click;site;city;price;past;many;day;when;seconds;stamp;size"
LINES = (
    "1;a;Zürich;1,5;a|b|a;[1, 2];2014-10-21;14102123;1413932400;21.10.2014 23:05;1",
    "0;b;Köln & Bonn;2;b;['x', None];2014-10-22T05:00:00;14102200;1413950400;22.10.2014 00:00;2",
    "1;a;;-1;;[];;;;;30",
    "0;12.0;日本;1.000,25;a|c;[1.50, true];2014-10-25;14102512;1414238400;25.10.2014 12:30;400",
    "0;TRUE;NA;7;NA|a;;2014-10-26 23:59:59;14102623;1414368000;26.10.2014 23:59;5000",
)
FIELDS: list[dict[str, Any]] = [
    {"kind": "categorical", "column": "site"},
    {"kind": "categorical", "column": "city", "min_count": 2, "blank": "out_of_vocabulary"},
    {"kind": "categorical", "column": "city", "name": "written", "text": "as_written"},
    {"kind": "categorical", "column": "site", "name": "padded", "blank": "padding"},
    {"kind": "categorical", "column": "site", "name": "place", "serving_value": "a"},
    {"kind": "hashed", "column": "city", "name": "bucket", "num_buckets": 7},
    {"kind": "hashed", "column": "city", "name": "bucket_padded", "num_buckets": 1000, "blank": "padding"},
    {"kind": "hashed", "column": "city", "name": "bucket_out", "num_buckets": 1000, "blank": "out_of_vocabulary"},
    {"kind": "crossed", "column": "site", "other": "city"},
    {"kind": "sequence", "column": "past", "separator": "|", "max_length": 2, "shares": "site", "last": 2,
     "matches": "site"},
    {"kind": "sequence", "column": "past", "name": "long", "separator": "|", "max_length": 9, "matches": "site"},
    {"kind": "sequence", "column": "past", "name": "past_written", "separator": "|", "max_length": 3,
     "text": "as_written"},
    {"kind": "sequence", "column": "many", "separator": "json", "max_length": 3},
    {"kind": "numeric", "column": "price"},
    {"kind": "numeric", "column": "price", "name": "price_log", "transform": "log", "infinite": "clip"},
    {"kind": "numeric", "column": "price", "name": "price_z", "transform": "standardise", "blank": 3.5},
    {"kind": "numeric", "column": "price", "name": "price_01", "transform": "min_max", "infinite": "clip"},
    {"kind": "numeric", "column": "size", "blank": None, "serving_value": 3.0},
    {"kind": "numeric", "column": "size", "name": "strict", "blank": None},
    {"kind": "numeric", "column": "day", "name": "day_number", "unit": "days"},
    {"kind": "numeric", "column": "day", "name": "day_ms", "unit": "milliseconds", "transform": "standardise"},
    {"kind": "quantile", "column": "price", "name": "price_q", "num_buckets": 3},
    {"kind": "quantile", "column": "size", "name": "size_q", "num_buckets": 3, "blank": "padding", "infinite": "clip"},
    {"kind": "piecewise_linear", "column": "size", "name": "size_p", "num_buckets": 3, "infinite": "clip"},
    {"kind": "calendar", "column": "day", "format": "iso"},
    {"kind": "calendar", "column": "when", "format": "yymmddhh"},
    {"kind": "calendar", "column": "seconds", "format": "epoch_seconds"},
    {"kind": "calendar", "column": "stamp", "format": "%d.%m.%Y %H:%M"},
]  # fmt: skip
CSV = {"delimiter": ";", "quote": None, "blanks": ["NA", "-1.0"], "decimal": ",", "thousands": "."}

TEXTS = [
    "", " ", "\t ", "a", " a", "a ", "unseen", "12", "12.0", "-0.00", "0.0", "00012.0", "1.10", "TRUE", "true",
    "False", "NA",
    "-1", "-1.0", "Zürich", "Zu\u0308rich", "Köln & Bonn", "R&B", "&", "&&", "日本", "😀", "a\u200b", "\u00a0", "a\nb",
    "a\n",
    "٣", "1_0", "0x10", "1e5", "1,5", "1.5", "1.000,25", "1.00,5", "12.345", ",5", "5,", "1.000.000", "-7", "+7",
    "1e400",
    "nan", "inf", "-Infinity", "9223372036854775807", "9223372036854775808", "1" * 40, "3,5e38", "-1,0", "1e-3",
    "a|b|a",
    "a| b |c", "|", "a||", "NA|a", "12.0|a", "[1, 2]", "[draft]", "[1 2]", "['x', None]",
    '["a", null, NaN, true, 1.50]',
    "[]", "()", "(1, 2)", "[1, [2]]", "[1, 2", "{'a': 1}", "[Infinity]", "2014-10-21", "2014-10", "2014",
    "2014-10-21T23:59:60", "2014-10-21T23:00", "2014-10-21 23:00:00.5", "2014-10-21 23:00:00,123456789",
    "2014-10-21 23:00:00.1234567891", "2014-10-21T23:00:00+02:00", "2014-10-21T23:00Z", "2014-10-21T23:00 -0530",
    "2014-10-21T23:00+05", "2014-13-01", "2014-02-29", "2016-02-29", "2014-10-21T24:00", "2014-10-21T23:60",
    "0000-01-01",
    "9999-12-31", "1600-01-01", "2014-10-21T23", "14102123", "14102124", "14133123", "1410212", "70010100", "69123123",
    "1413932400", "1413932400.5", "1413932400,5", "-1413932400", "-1,5", "0", "5", "99999999999", "100000000000",
    "1.413.932.400", "1,4139324e9", "1413932400000", "+1413932400", "21.10.2014 23:05", "1.2.2014 5:3",
    " 1. 2.2014  5: 3",
    "21.10.14 23:05", "31.02.2014 05:03", "21.10.2014 24:00", "21.10.+2014 5:3", "21.10.12014 5:3", "21.10.201423:05",
    "21.10.2014\t23:05", "21.10.2014 23:05 x",
]  # fmt: skip
"""Texts that are values, blanks, unseen, in strange writing, numbers right and wrong, lists and times."""

_EAST = timezone(timedelta(hours=2))
_WRITTEN = datetime.fromisoformat("2014-10-21T23:05")
TYPED: list[Any] = [
    None, True, False, 0, 12, -1, 2**53 + 1, 2**63 - 1, 12.0, 1.5, 0.1, -0.0, 1e-7, 1e15, 2.0**53, 1e300, float("nan"),
    float("inf"), float("-inf"), 14102123, 1413932400, 1413932400.5, ["a", "b"], ["a", None, "12.0"], [1, 2], [],
    [1.5, None],
    date(2014, 10, 21), date(1969, 12, 31), _WRITTEN, _WRITTEN.replace(second=1, microsecond=500000),
    _WRITTEN.replace(year=1969, microsecond=1), _WRITTEN.replace(tzinfo=_EAST),
    timedelta(hours=1, microseconds=5), timedelta(seconds=-3), timedelta(0), time(23, 5), time(0, 0, 1, 500),
    Decimal("8.50"), Decimal("-0.00"), Decimal("12"), Decimal("1E+3"),
]  # fmt: skip


def encoder_of_every_kind(folder: Path) -> RowEncoder:
    """Fit the fields on the log, and load the encoder of new rows."""
    for split in ("train", "valid"):
        (folder / f"{split}.csv").write_text("\n".join([HEADER, *LINES]) + "\n", encoding="utf-8")
    settings = DataSettings.model_validate(
        {
            "prepared": str(folder / "prepared"),
            "files": {"folder": str(folder), "train": "train.csv", "valid": "valid.csv"},
            "csv": CSV,
            "label": "click",
            "fields": FIELDS,
        }
    )
    return RowEncoder.load(prepare(settings).folder)
