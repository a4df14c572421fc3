from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.loading.thinned import ThinnedNegatives
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedSplit
from rankelastor.data.settings import DataSettings
from rankelastor.errors import RunError

NUM_POSITIVE, NUM_NEGATIVE = 20, 180


@pytest.fixture
def split(tmp_path: Path) -> PreparedSplit:
    """Two hundred rows, numbered by ``row``; every tenth is positive."""
    rows = pl.DataFrame({"row": range(200)}).with_columns(click=(pl.col("row") % 10 == 0).cast(pl.Int8))
    rows.write_csv(tmp_path / "log.csv")
    rows.head(20).write_csv(tmp_path / "valid.csv")
    values: dict[str, Any] = {
        "prepared": str(tmp_path / "prepared"),
        "files": {"folder": str(tmp_path), "train": "log.csv", "valid": "valid.csv"},
        "label": "click",
        "fields": [{"kind": "numeric", "column": "row", "transform": "as_is"}],
        "shard_rows": 64,
    }
    return prepare(DataSettings.model_validate(values)).split("train")


def rows_of(loader: BatchLoader, epoch: int) -> list[int]:
    return [int(row) for batch in loader.epoch(epoch) for row in batch.numeric[:, 0]]


def test_an_epoch_holds_every_positive_and_a_share_of_the_negatives_once(split: PreparedSplit) -> None:
    thinned = ThinnedNegatives(split, share=0.25, seed=1)
    loader = BatchLoader(split, batch_size=16, shuffle=True, seed=1, thinned=thinned)
    rows = rows_of(loader, 1)
    assert len(rows) == len(set(rows)) == loader.num_rows == NUM_POSITIVE + NUM_NEGATIVE // 4
    assert {row for row in rows if row % 10 == 0} == set(range(0, 200, 10))
    assert len(loader) == -(-65 // 16)


def test_each_epoch_draws_other_negatives_and_the_same_ones_again(split: PreparedSplit) -> None:
    thinned = ThinnedNegatives(split, share=0.25, seed=1)
    assert thinned.rows(1).tolist() == ThinnedNegatives(split, share=0.25, seed=1).rows(1).tolist()
    assert thinned.rows(1).tolist() != thinned.rows(2).tolist()
    assert thinned.rows(1).tolist() != ThinnedNegatives(split, share=0.25, seed=2).rows(1).tolist()


def test_every_negative_is_drawn_about_equally_often(split: PreparedSplit) -> None:
    thinned = ThinnedNegatives(split, share=0.5, seed=3)
    counts = np.bincount(np.concatenate([thinned.rows(epoch) for epoch in range(400)]), minlength=200)
    assert (counts[::10] == 400).all()
    drawn = np.delete(counts, np.arange(0, 200, 10))
    assert drawn.sum() == 400 * 90
    assert abs(drawn - 200).max() < 5 * np.sqrt(400 / 4)


def test_at_least_one_negative_is_kept(split: PreparedSplit) -> None:
    assert ThinnedNegatives(split, share=1e-9, seed=1).num_rows == NUM_POSITIVE + 1


def test_a_position_is_not_restored_where_other_rows_are_kept(split: PreparedSplit) -> None:
    some, more = (
        BatchLoader(split, batch_size=16, shuffle=True, thinned=ThinnedNegatives(split, share=share, seed=1))
        for share in (0.25, 0.5)
    )
    assert some.restore(some.state(epoch=2, batch=1)) == (2, 1)
    with pytest.raises(RunError, match="num_rows was 65 there and is 110 here"):
        more.restore(some.state(epoch=2, batch=1))
