from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.settings import DataSettings
from rankelastor.data_report.repeats import Repeats, count_repeats

SEPARATE = [(0, "a", 1.0), (1, "b", 2.0), (0, "c", 3.0), (1, "a", 3.0)]


def dataset(folder: Path, train: list[tuple[int, str, float]], valid: list[tuple[int, str, float]]) -> PreparedDataset:
    for name, rows in (("train", train), ("valid", valid)):
        pl.DataFrame(rows, schema=["click", "user", "price"], orient="row").write_csv(folder / f"{name}.csv")
    values = {
        "prepared": str(folder / "prepared"),
        "files": {"folder": str(folder), "train": "train.csv", "valid": "valid.csv"},
        "label": "click",
        "fields": [{"kind": "categorical", "column": "user"}, {"kind": "numeric", "column": "price"}],
        "shard_rows": 3,
    }
    return prepare(DataSettings.model_validate(values))


def test_rows_with_equal_fields_are_counted_and_equal_labels_among_them(tmp_path: Path) -> None:
    valid = [(0, "a", 1.0), (0, "b", 2.0), (1, "b", 1.0), (1, "new", 2.0)]  # same; other label; two new ones
    counted = count_repeats(dataset(tmp_path, SEPARATE, valid), "valid")
    assert counted == Repeats(num_rows=4, num_repeated=2, num_same_label=1, num_other_label=1, train_share=0.0)


def test_rows_of_train_that_repeat_each_other_are_counted_beside(tmp_path: Path) -> None:
    counted = count_repeats(dataset(tmp_path, [*SEPARATE, (1, "a", 1.0), (0, "d", 9.0)], SEPARATE), "valid")
    assert counted.train_share == pytest.approx(2 / 6)
    assert counted.num_repeated == 4


def test_a_sample_finds_the_same_share(tmp_path: Path) -> None:
    draws = np.random.default_rng(2)
    train = [(int(draws.integers(2)), str(user), float(user % 7)) for user in range(900)]
    valid = [row if index % 4 == 0 else (0, f"new{index}", 0.5 + index) for index, row in enumerate(train)]
    data = dataset(tmp_path, train, [(1, "x", 0.0), *valid])
    assert count_repeats(data, "valid").num_repeated == 225
    sampled = count_repeats(data, "valid", most=300)
    assert sampled.num_repeated / sampled.num_rows == pytest.approx(0.25, abs=0.1)
