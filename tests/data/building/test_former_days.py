"""A folder that takes a further day in: ids, counts, frozen statistics, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.manifest import Manifest
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.raw.rows import read_rows
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError, SettingsError
from rankelastor.storage import whole_folder

Extend = Callable[..., PreparedDataset]
FIELDS: list[dict[str, Any]] = [
    {"kind": "categorical", "column": "site", "min_count": 2},
    {"kind": "sequence", "column": "past", "separator": "|", "max_length": 3, "shares": "site", "last": 1},
    {"kind": "crossed", "column": "site", "other": "user"},
    {"kind": "hashed", "column": "user", "num_buckets": 5},
    {"kind": "numeric", "column": "age"},
    {"kind": "quantile", "column": "age", "name": "bucket", "num_buckets": 2},
    {"kind": "piecewise_linear", "column": "age", "name": "edges", "num_buckets": 2},
    {"kind": "calendar", "column": "time", "parts": ["hour"], "format": "iso"},
]
HEAD = "click,site,past,user,age,time\n"
DAYS = [
    HEAD + "1,a,a|b,u1,1,2026-11-01 03:00:00\n0,b,a,u2,2,2026-11-01 04:00:00\n1,r,,u1,5,2026-11-01 03:00:00\n",
    HEAD + "1,r,n|a,u1,9,2026-11-02 03:00:00\n0,n,q,u3,2,2026-11-02 07:00:00\n1,a,n,u1,,2026-11-02 03:00:00\n",
    HEAD + "0,q,a,u1,7,2026-11-03 09:00:00\n1,n,b,u4,3,2026-11-03 03:00:00\n",
]
VALID = HEAD + "1,a,r,u1,1,2026-11-09 01:00:00\n0,z,,u9,3,2026-11-09 01:00:00\n"


@pytest.fixture
def extend(tmp_path: Path) -> Extend:
    """Prepare a day, extending the folder of the day before; ``changes`` replace whole settings by key."""
    (tmp_path / "valid.csv").write_text(VALID)
    for number, text in enumerate(DAYS):
        (tmp_path / f"day-{number}.csv").write_text(text)

    def make(day: int, *, base: int | None = None, force: bool = False, **changes: Any) -> PreparedDataset:
        values: dict[str, Any] = {
            "prepared": str(tmp_path / f"prepared-{day}"),
            "files": {"folder": str(tmp_path), "train": f"day-{day}.csv", "valid": "valid.csv"},
            "label": "click",
            "extendable": True,
            "fields": FIELDS,
        }
        settings = DataSettings.model_validate(values | changes)
        return prepare(settings, extend=None if base is None else tmp_path / f"prepared-{base}", force=force)

    return make


def ids_of(dataset: PreparedDataset, feature: str) -> dict[str, int]:
    vocabulary = RowEncoder.load(dataset.folder).vocabularies[feature]
    return dict(zip(vocabulary.values.to_list(), vocabulary.known_ids.tolist(), strict=True))


def test_known_values_keep_their_ids_and_new_ones_come_behind(extend: Extend) -> None:
    first, second = extend(0), extend(1, base=0)
    assert ids_of(first, "site") == {"a": 1, "b": 2}, "r occurs once"
    assert ids_of(second, "site") == {"a": 1, "b": 2, "n": 4, "r": 5}, "3 is out of vocabulary, r occurs twice in all"
    feature = next(each for each in second.schema.categorical if each.name == "site")
    assert (feature.num_ids, feature.out_of_vocabulary_id) == (6, 3)
    assert second.frame("valid")["site"].to_list() == [1, 3]
    assert second.frame("valid")["past"].to_list() == [[5], []]
    assert ids_of(second, "time_hour").items() >= ids_of(first, "time_hour").items()


def test_each_kind_is_extended_or_stays_as_it_was(extend: Extend) -> None:
    first, second = extend(0), extend(1, base=0)
    frozen = {"user", "age", "bucket", "edges"}
    for before, now in zip(first.manifest.features, second.manifest.features, strict=True):
        assert (before == now) == (before.name in frozen), before.name
    assert second.frame("train")["age"].to_list() != []


def test_rows_are_encoded_as_they_are_served(extend: Extend, tmp_path: Path) -> None:
    extend(0)
    second = extend(1, base=0)
    encoder = RowEncoder.load(second.folder)
    (rows,) = read_rows(tmp_path / "day-1.csv", encoder.csv, encoder.columns)
    batch, shard = encoder.encode(rows), second.split("train").shards[0]
    np.testing.assert_array_equal(batch.categorical.numpy(), shard.categorical)
    np.testing.assert_array_equal(batch.numeric.numpy(), shard.numeric)
    assert batch.sequence is not None
    assert shard.sequence is not None
    np.testing.assert_array_equal(batch.sequence.numpy(), shard.sequence)


def test_counts_grow_from_day_to_day(extend: Extend) -> None:
    extend(0)
    extend(1, base=0)
    third = extend(2, base=1)
    table = pl.read_parquet(third.folder / "vocabulary" / "site.parquet").sort("id")
    assert dict(zip(table["value"].to_list(), table["count"].to_list(), strict=True)) == {
        "a": 6,
        "b": 3,
        "n": 4,
        "r": 2,
        "q": 2,
    }
    assert third.manifest.extension is not None
    assert third.manifest.extension.day == 2


def test_the_folder_that_is_extended_stays_as_it_was(extend: Extend) -> None:
    first = extend(0)
    before = {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()}
    extend(1, base=0)
    assert before == {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()}


def test_preparing_a_further_day_again_does_nothing(extend: Extend) -> None:
    extend(0)
    stamp = (extend(1, base=0).folder / "schema.json").stat().st_mtime_ns
    assert (extend(1, base=0).folder / "schema.json").stat().st_mtime_ns == stamp
    assert (extend(1).folder / "schema.json").stat().st_mtime_ns == stamp, "also without the folder before"


def test_an_extended_folder_is_not_prepared_from_scratch(extend: Extend, tmp_path: Path) -> None:
    extend(0)
    extend(1, base=0)
    (tmp_path / "day-1.csv").write_text(DAYS[1] + "0,a,,u1,4,2026-11-02 05:00:00\n")
    with pytest.raises(DataError, match="must not be prepared from scratch, because it extends"):
        extend(1)
    assert extend(1, force=True).manifest.extension is None


def test_values_that_are_long_unseen_lose_their_ids(extend: Extend) -> None:
    fields = [{"kind": "categorical", "column": "site"}]
    extend(0, fields=fields, max_idle_days=1)
    extend(1, base=0, fields=fields, max_idle_days=1)
    third = extend(2, base=1, fields=fields, max_idle_days=1)
    assert ids_of(third, "site") == {"a": 1, "q": 2, "r": 3, "n": 5}, "the id of b is that of q now"


def test_folders_whose_fields_have_no_least_count_need_no_setting(extend: Extend) -> None:
    fields = [{"kind": "categorical", "column": "site"}]
    extend(0, fields=fields, extendable=False)
    assert not (extend(1, base=0, fields=fields, extendable=False).folder / "missing").exists()


def test_a_folder_without_counts_of_rare_values_is_refused(extend: Extend) -> None:
    extend(0, extendable=False)
    with pytest.raises(DataError, match=r"site has min_count 2 .*data\.extendable=true"):
        extend(1, base=0)


def test_an_ordinary_folder_holds_nothing_new(extend: Extend) -> None:
    dataset = extend(0, extendable=False)
    assert {path.name for path in dataset.folder.iterdir()} == {"schema.json", "vocabulary", "train", "valid"}
    values = json.loads((dataset.folder / "schema.json").read_text())
    assert values["format_version"] == 3
    assert "extension" not in values
    assert not {"extendable", "max_idle_days"} & values["settings"].keys()
    assert all("unseen_id" not in feature for feature in values["features"])


def test_files_that_were_taken_in_are_refused_under_any_name(extend: Extend, tmp_path: Path) -> None:
    extend(0)
    extend(1, base=0)
    (tmp_path / "day-2.csv").write_text(DAYS[0])
    with pytest.raises(DataError, match=r"a file must be taken in once, but day-2\.csv was read on a day before"):
        extend(2, base=1)
    assert not (tmp_path / "prepared-2").exists()


def test_a_day_that_tested_the_day_before_may_be_taken_in(extend: Extend, tmp_path: Path) -> None:
    files = {"folder": str(tmp_path), "train": "day-0.csv", "valid": "valid.csv", "test": "day-1.csv"}
    extend(0, files=files)
    assert extend(1, base=0).manifest.extension is not None


def test_a_day_of_other_settings_or_columns_is_refused(extend: Extend, tmp_path: Path) -> None:
    extend(0)
    changed = [{**FIELDS[0], "min_count": 3}, *FIELDS[1:]]
    with pytest.raises(SettingsError, match=r"data\.fields\.0\.min_count was 2 and is now 3"):
        extend(1, base=0, fields=changed)
    with pytest.raises(SettingsError, match="into a folder of its own"):
        extend(0, base=0)
    patterns = [{"kind": "categorical", "column": "s*"}]
    extend(0, fields=patterns, prepared=str(tmp_path / "prepared-7"))
    (tmp_path / "day-1.csv").write_text("click,site,slot\n1,a,x\n0,b,y\n")
    (tmp_path / "valid.csv").write_text("click,site,slot\n1,a,x\n0,b,y\n")
    with pytest.raises(DataError, match="must have the feature columns of the days before, but differs in 'slot'"):
        extend(1, base=7, fields=patterns)


def test_vectors_of_known_values_stay_and_new_values_get_theirs(extend: Extend, tmp_path: Path) -> None:
    def write(vectors: dict[str, float]) -> None:
        pl.DataFrame({"key": list(vectors), "vector": [[value, 1.0] for value in vectors.values()]}).write_parquet(
            tmp_path / "vectors.parquet"
        )

    pretrained = {"file": "vectors.parquet", "key": "key", "vector": "vector"}
    fields = [{"kind": "categorical", "column": "site", "pretrained": pretrained}]
    write({"a": 1.0, "b": 2.0})
    extend(0, fields=fields)
    write({"a": 7.0, "n": 8.0, "r": 9.0})
    second = extend(1, base=0, fields=fields)
    vectors, ids = second.pretrained_vectors()["site"], ids_of(second, "site")
    assert {text: float(vectors[index, 0]) for text, index in ids.items()} == {"a": 1.0, "b": 2.0, "n": 8.0, "r": 9.0}
    write({"a": 1.0, "q": 2.0})
    pl.DataFrame({"key": ["q"], "vector": [[1.0, 2.0, 3.0]]}).write_parquet(tmp_path / "vectors.parquet")
    with pytest.raises(DataError, match="must have the width of the days before, 2, but the file gives 3"):
        extend(2, base=1, fields=fields)


def test_a_serving_value_stays_however_long_it_is_unseen(extend: Extend) -> None:
    fields = [{"kind": "categorical", "column": "site", "serving_value": "b"}]
    extend(0, fields=fields, max_idle_days=1)
    extend(1, base=0, fields=fields, max_idle_days=1)
    assert ids_of(extend(2, base=1, fields=fields, max_idle_days=1), "site")["b"] == 2


def test_damage_of_the_folder_before_is_found(extend: Extend, tmp_path: Path) -> None:
    first = extend(0)
    rare = first.folder / "rare" / "site.parquet"
    rare.write_bytes(rare.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"rare/site\.parquet must be whole"):
        extend(1, base=0)
    with pytest.raises(DataError, match="must be a prepared folder, but it does not exist"):
        extend(1, base=5)


def test_nothing_is_left_of_a_day_that_fails(extend: Extend, tmp_path: Path) -> None:
    extend(0)
    (tmp_path / "day-1.csv").write_text(HEAD + "1,a,,u1,1,2026-11-01 03:00:00\n")
    with pytest.raises(DataError, match="the split train must hold labels 0 and 1"):
        extend(1, base=0)
    assert not [path.name for path in tmp_path.iterdir() if "prepared-1" in path.name]
    with whole_folder(tmp_path / "prepared-1"):
        pass


def test_the_result_does_not_depend_on_the_order_of_rows(extend: Extend, tmp_path: Path) -> None:
    extend(0)
    once = Manifest.read(extend(1, base=0).folder).checksums
    assert once is not None
    head, *rows = DAYS[1].splitlines(keepends=True)
    (tmp_path / "day-1.csv").write_text(head + "".join(reversed(rows)))
    again = Manifest.read(extend(1, base=0).folder).checksums
    assert again is not None
    assert {name: each for name, each in once.items() if "/site" in name or name.startswith("rare")} == {
        name: each for name, each in again.items() if "/site" in name or name.startswith("rare")
    }
