"""What is drafted for the first rows of real logs, if they are available."""

import os
from pathlib import Path

import pytest

from rankelastor.drafting.draft import Draft
from rankelastor.drafting.infer import infer
from rankelastor.drafting.log_file import read_log

DATA = Path(os.environ.get("RANKELASTOR_DATA", Path(__file__).parents[2] / "../shared/data"))


def drafted(path: str, *, label: str | None = None) -> Draft:
    file = DATA / path
    if not file.is_file():
        pytest.skip(f"no {path} in {DATA}; RANKELASTOR_DATA names the folder")
    log = read_log(file, at_most=5_000)
    return infer(log.table.slice(0, 5_000), label=label, num_rows=log.num_rows)


def kinds(draft: Draft) -> dict[str, str]:
    return {column.column: column.kinds for column in draft.columns}


def test_avazu_has_ids_and_a_row_number() -> None:
    found = kinds(drafted("avazu_10k/train.csv"))
    assert found.pop("id") == "left out"
    assert found.pop("hour") in {"calendar", "left out"}
    assert set(found.values()) == {"categorical"}


def test_criteo_has_counts_and_hashes_and_no_header() -> None:
    found = kinds(drafted("criteo_10k/train.txt", label="column_1"))
    assert [found[f"column_{index}"] for index in (3, 6, 8)] == ["quantile"] * 3
    assert {found[f"column_{index}"] for index in range(15, 41)} == {"categorical"}


def test_integers_beyond_64_bits_are_names() -> None:
    found = kinds(drafted("soso_clicks/clicks.csv"))
    assert {kind.split(",")[0] for kind in found.values()} <= {"categorical", "left out"}
    assert found["url_hash"] == found["ad_id"] == "categorical"


def test_histories_share_the_rows_of_their_items() -> None:
    draft = drafted("ml1m_history/train.parquet")
    shared = {field.patterns[0]: field.model_dump().get("shares") for field in draft.fields if field.kind == "sequence"}
    assert shared == {"history_item_id": "item_id", "history_genre": "genre"}
