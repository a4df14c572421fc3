from pathlib import Path

import numpy as np
import polars as pl

from rankelastor.data.planted.drift import drifting_days, write_drifting_log
from rankelastor.data.planted.settings import PlantedSettings

FEW = PlantedSettings(num_fields=3, num_interactions=1, vocabulary=20)


def values_by_day(churn: float) -> list[set[int]]:
    return [set(day.values[:, 0].tolist()) for day in drifting_days(FEW, num_days=3, rows_per_day=4000, churn=churn)]


def test_without_churn_all_days_have_the_same_values() -> None:
    first, second, third = values_by_day(0.0)
    assert first == second == third == set(range(20))


def test_a_value_that_went_does_not_come_back() -> None:
    first, second, third = values_by_day(0.5)
    assert 4 < len(first - second) < 16
    assert not (first - second) & third
    assert all(len(day) == 20 for day in (first, second, third))


def test_labels_are_drawn_with_the_true_probabilities() -> None:
    (day,) = drifting_days(FEW, num_days=1, rows_per_day=20_000, churn=0.1)
    assert abs(float(day.label.mean()) - float(day.probability.mean())) < 0.01
    assert abs(float(day.probability.mean()) - FEW.click_rate) < 0.05


def test_the_file_holds_all_days(tmp_path: Path) -> None:
    write_drifting_log(tmp_path / "log.parquet", FEW, num_days=2, rows_per_day=50, churn=0.5)
    table = pl.read_parquet(tmp_path / "log.parquet")
    assert table.columns == ["day", "click", "f00", "f01", "f02"]
    assert table["day"].n_unique() == 2
    np.testing.assert_array_equal(table["day"].value_counts()["count"].to_numpy(), [50, 50])
