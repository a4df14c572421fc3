"""What several tests of the service need."""

import polars as pl
import pytest

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepare import prepare
from rankelastor.data.settings import DataSettings


@pytest.fixture(scope="module")
def all_kinds(tmp_path_factory: pytest.TempPathFactory) -> RowEncoder:
    """An encoder of every kind of field."""
    folder = tmp_path_factory.mktemp("kinds")
    rows = range(40)
    log = pl.DataFrame(
        {
            "click": [row % 2 for row in rows],
            "site": [f"s{row % 5}" for row in rows],
            "item": [f"i{row % 7}" for row in rows],
            "price": [row / 3 for row in rows],
            "age": list(rows),
            "at": [f"2024-01-{1 + row % 28:02d} {row % 24:02d}:00:00" for row in rows],
            "seen": [f"i{row % 7}|i{(row + 1) % 7}" for row in rows],
        }
    )
    log.write_csv(folder / "log.csv")
    fields = [
        {"kind": "categorical", "column": "site"},
        {"kind": "categorical", "column": "item"},
        {"kind": "hashed", "column": "site", "name": "hashed_site", "num_buckets": 8},
        {"kind": "crossed", "column": "site", "other": "item", "name": "both"},
        {"kind": "numeric", "column": "price", "transform": "standardise", "blank": 0.0},
        {"kind": "quantile", "column": "age", "num_buckets": 4},
        {"kind": "piecewise_linear", "column": "age", "name": "edges", "num_buckets": 4},
        {"kind": "calendar", "column": "at", "parts": ["hour", "weekday"], "format": "iso"},
        {
            "kind": "sequence",
            "column": "seen",
            "max_length": 3,
            "separator": "|",
            "shares": "item",
            "matches": "item",
            "last": 1,
        },
    ]
    settings = DataSettings.model_validate(
        {
            "prepared": str(folder / "prepared"),
            "files": {"folder": str(folder), "all": "log.csv"},
            "split": {"kind": "random", "valid": 0.2, "test": 0.0, "seed": 1},
            "label": "click",
            "fields": fields,
        }
    )
    prepare(settings)
    return RowEncoder.load(folder / "prepared")
