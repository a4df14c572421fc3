"""The baseline on prepared rows: what it learns from, and which rows it predicts."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from rankelastor.baseline.design import Columns, Design
from rankelastor.baseline.linear import linear_baseline
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.settings import DataSettings
from rankelastor.metrics.ranking import auc


def prepared(folder: Path, *, num_rows: int = 600, shard_rows: int = 128, **changes: Any) -> PreparedDataset:
    """A log in which clicks depend on user, price and a liked genre, each alone."""
    draws = np.random.default_rng(3)
    user, price = draws.integers(0, 6, num_rows), draws.normal(size=num_rows)
    genres = [list(draws.choice(["a", "b", "c"], draws.integers(0, 4))) for _ in range(num_rows)]
    logit = 3 * (user % 2) - 1.5 + 2 * price + np.array([2.0 * ("a" in each) - 1 for each in genres])
    click = (draws.random(num_rows) < 1 / (1 + np.exp(-logit))).astype(int)
    frame = pl.DataFrame(
        {"click": click, "user": user, "price": price, "genres": genres, "weight": draws.random(num_rows)}
    )
    frame.write_parquet(folder / "log.parquet")
    values = {
        "prepared": str(folder / "prepared"),
        "files": {"folder": str(folder), "all": "log.parquet"},
        "split": {"kind": "random", "valid": 0.3, "seed": 1},
        "label": "click",
        "fields": [
            {"kind": "categorical", "column": "user"},
            {"kind": "numeric", "column": "price", "transform": "as_is"},
            {"kind": "sequence", "column": "genres", "max_length": 3},
        ],
        "shard_rows": shard_rows,
    }
    return prepare(DataSettings.model_validate(values | changes))


def label_of_valid(dataset: PreparedDataset) -> np.ndarray[Any, Any]:
    return np.concatenate([shard.labels[:, 0] for shard in dataset.split("valid").shards])


def test_it_learns_from_ids_numbers_and_sequences(tmp_path: Path) -> None:
    dataset = prepared(tmp_path)
    baseline = linear_baseline(dataset)
    assert baseline is not None
    assert auc(label_of_valid(dataset), baseline.probability[:, 0]) > 0.85


def test_it_is_the_same_each_time_and_for_any_shards(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first, second = (
        linear_baseline(prepared(tmp_path / "one")),
        linear_baseline(prepared(tmp_path / "two", shard_rows=50)),
    )
    assert first is not None
    assert second is not None
    assert np.array_equal(first.probability, second.probability)


def test_samples_lie_evenly_over_the_splits(tmp_path: Path) -> None:
    dataset = prepared(tmp_path)
    num_valid = dataset.split("valid").num_rows
    baseline = linear_baseline(dataset, train_rows=50, valid_rows=30)
    assert baseline is not None
    assert (baseline.num_train_rows, len(baseline.rows), len(baseline.probability)) == (50, 30, 30)
    assert np.ptp(np.diff(baseline.rows)) <= 1
    assert baseline.rows[0] < 6
    assert baseline.rows[-1] >= num_valid - 6


def test_without_both_labels_there_is_no_baseline(tmp_path: Path) -> None:
    dataset = prepared(tmp_path)
    assert linear_baseline(dataset, train_rows=1) is None


def test_rows_become_one_hot_ids_means_of_sequences_and_standardised_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    columns = Columns(
        ids=np.array([[1, 5, 6], [1, 5, 4], [2, 6, 4]]),
        mass=np.array([[1, 0.5, 0.5], [1, 1, 0], [1, 1, 0]]),
        numbers=np.array([[1.0], [2.0], [3.0]]),
        labels=np.zeros((3, 1)),
        weight=np.ones(3),
    )
    design = Design(columns)
    assert design.num_columns == 4  # ids 1, 5 and 6 occur twice (4 is padding, 2 occurs once); one number
    apart = 1.5**0.5
    wanted = [[1, 0.5, 0.5, round(-apart, 6)], [1, 1, 0, 0], [0, 0, 1, round(apart, 6)]]
    plain = design.matrix(columns)
    assert isinstance(plain, np.ndarray)
    assert plain.round(6).tolist() == wanted
    monkeypatch.setattr("rankelastor.baseline.design._FEW_COLUMNS", 3)
    sparse = design.matrix(columns)
    assert isinstance(sparse, csr_array)
    assert sparse.toarray().round(6).tolist() == wanted


def test_an_element_that_a_sequence_holds_twice_counts_twice() -> None:
    columns = Columns(
        ids=np.array([[7, 7, 8], [8, 7, 7]]),
        mass=np.full((2, 3), 1 / 3),
        numbers=np.zeros((2, 0)),
        labels=np.zeros((2, 1)),
        weight=np.ones(2),
    )
    assert np.asarray(Design(columns).matrix(columns)).round(6).tolist() == [[0.666667, 0.333333]] * 2


def test_small_and_large_matrices_give_the_same_predictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = prepared(tmp_path)
    plain = linear_baseline(dataset)
    monkeypatch.setattr("rankelastor.baseline.design._FEW_VALUES", 0)
    sparse = linear_baseline(dataset)
    assert plain is not None
    assert sparse is not None
    np.testing.assert_allclose(plain.probability, sparse.probability, atol=2e-3)


def test_the_weights_of_rows_count(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "weighted").mkdir()
    plain, weighted = (
        linear_baseline(prepared(tmp_path / "plain")),
        linear_baseline(prepared(tmp_path / "weighted", weight="weight")),
    )
    assert plain is not None
    assert weighted is not None
    assert not np.allclose(plain.probability, weighted.probability, atol=1e-3)


def test_few_rows_are_all_used(tmp_path: Path) -> None:
    dataset = prepared(tmp_path, num_rows=40)
    baseline = linear_baseline(dataset)
    assert baseline is not None
    assert baseline.num_train_rows == dataset.split("train").num_rows
    assert baseline.rows.tolist() == list(range(dataset.split("valid").num_rows))
