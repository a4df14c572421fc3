import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rankelastor.data.prepare import prepare
from rankelastor.data.synthetic import _auc, write_click_log


def test_a_log_is_a_function_of_seed_and_size(tmp_path: Path) -> None:
    first = write_click_log(tmp_path / "a", num_rows=1000, seed=1)
    again = write_click_log(tmp_path / "b", num_rows=1000, seed=1)
    other = write_click_log(tmp_path / "c", num_rows=1000, seed=2)
    assert (tmp_path / "a" / "train.csv").read_bytes() == (tmp_path / "b" / "train.csv").read_bytes()
    assert first.best == again.best
    assert first.best != other.best


def test_splits_are_80_10_10_and_the_truth_is_written_down(tmp_path: Path) -> None:
    log = write_click_log(tmp_path, num_rows=2000)
    assert log.num_rows == {"train": 1600, "valid": 200, "test": 200}
    assert [pl.read_csv(tmp_path / f"{split}.csv").height for split in log.num_rows] == [1600, 200, 200]
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert truth["best_possible"]["test"]["auc"] == log.best["test"].auc
    assert sorted(item.name for item in tmp_path.iterdir()) == ["test.csv", "train.csv", "truth.json", "valid.csv"]


def test_the_click_rate_and_the_best_possible_auc_are_as_announced(tmp_path: Path) -> None:
    log = write_click_log(tmp_path, num_rows=50_000)
    assert pl.read_csv(tmp_path / "train.csv")["click"].mean() == pytest.approx(0.25, abs=0.01)
    assert 0.80 < log.best["train"].auc < 0.85
    assert log.best["train"].logloss < 0.45


def test_the_auc_agrees_with_counting_pairs() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 8, 60) / 8, rng.integers(0, 2, 60).astype(np.int8)
    clicks, others = scores[labels == 1], scores[labels == 0]
    differences = clicks[:, None] - others[None, :]
    assert _auc(scores, labels) == pytest.approx((np.sign(differences) + 1).mean() / 2)


def test_the_log_prepares_with_its_own_settings(tmp_path: Path) -> None:
    log = write_click_log(tmp_path / "log", num_rows=3000)
    dataset = prepare(log.data_settings(tmp_path / "prepared"))
    assert len(dataset.schema.categorical) == 9
    assert len(dataset.schema.numeric) == 3
    assert dataset.manifest.splits["train"].num_rows == 2400
