from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.cells.texts import CellTexts
from rankelastor.data.kinds.crossed import pair_texts
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError, SettingsError

TRAIN = {"site": ["a", "a", "b", "", "a"], "city": ["x", "y", "x", "", "x"], "click": [1, 0, 0, 1, 1]}
VALID = {"site": ["b", "b", "a", "", ""], "city": ["x", "y", "x", "", "x"], "click": [0, 1, 0, 1, 0]}


def prepared(tmp_path: Path, **field: Any) -> PreparedDataset:
    for split, rows in {"train": TRAIN, "valid": VALID}.items():
        pl.DataFrame(rows).write_csv(tmp_path / f"{split}.csv")
    settings = DataSettings.model_validate(
        {
            "prepared": str(tmp_path / "prepared"),
            "files": {"folder": str(tmp_path), "train": "train.csv", "valid": "valid.csv"},
            "label": "click",
            "fields": [{"kind": "crossed", "column": "site", "other": "city", **field}],
        }
    )
    prepare(settings)
    return PreparedDataset.open(tmp_path / "prepared")


def ids(dataset: PreparedDataset, split: Any) -> list[int]:
    return [int(each) for shard in dataset.split(split).shards for each in np.asarray(shard.categorical)[:, 0]]


def test_a_pair_of_values_is_one_value_and_an_unseen_pair_is_out_of_vocabulary(tmp_path: Path) -> None:
    dataset = prepared(tmp_path)
    (feature,) = dataset.schema.categorical
    assert (feature.name, feature.num_ids) == ("site_x_city", 6)
    ax, ay, bx, blank, again = ids(dataset, "train")
    assert len({ax, ay, bx, blank}) == 4
    assert again == ax
    unseen = feature.num_ids - 1
    assert ids(dataset, "valid") == [bx, unseen, ax, blank, unseen]


def test_rare_pairs_are_out_of_vocabulary_and_blank_pairs_may_be_padding(tmp_path: Path) -> None:
    dataset = prepared(tmp_path, min_count=2, blank="padding", name="where")
    assert dataset.schema.categorical[0].name == "where"
    assert ids(dataset, "train") == [1, 2, 2, 0, 1]


def test_a_pair_with_one_blank_is_no_text_with_spaces_around_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TRAIN, "site", ["", "a", "b", "", "a"])
    prepared(tmp_path)
    assert "spaces" not in caplog.text


@given(st.lists(st.tuples(st.text("&ab ", max_size=4), st.text("&ab ", max_size=4)), min_size=1))
def test_different_pairs_have_different_texts(pairs: list[tuple[str, str]]) -> None:
    columns = [
        CellTexts(pl.Series([pair[side] for pair in pairs], dtype=pl.String), np.arange(len(pairs))) for side in (0, 1)
    ]
    joined = pair_texts(*columns)
    texts = joined.values.gather(joined.codes).to_list()
    assert len(set(texts)) == len(set(pairs))
    assert all((text == "") == (pair == ("", "")) for text, pair in zip(texts, pairs, strict=True))


def test_the_other_column_must_be_there_and_must_not_be_the_label(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must have the column 'town'.*check data.fields.0.other"):
        prepared(tmp_path, other="town")
    with pytest.raises(SettingsError, match=r"data.fields.0: a field must not read the label"):
        prepared(tmp_path, other="click")
