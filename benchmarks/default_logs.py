"""Cut logs of 1,000 to 40,000 rows for the choice of defaults, split anew for each seed.

Each cut is a folder with train, valid and test as Parquet, and ``columns.json``, which says of what kind each column
is, so that another environment reads the same rows. The real logs lie where RANKELASTOR_DATA says; they are cut, and
not passed on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from rankelastor.data.synthetic import LABEL as SYNTHETIC_LABEL
from rankelastor.data.synthetic import write_click_log

LABEL = "label"
_SHARES = {"train": 0.7, "valid": 0.15, "test": 0.15}
_USERS = 420
_SIZES = {
    "user": 300,
    "ad": 120,
    "site": 60,
    "campaign": 20,
    "category": 12,
    "city": 30,
    "device": 8,
    "hour": 24,
    "slot": 6,
}


def cut_log(name: str, folder: Path, *, seed: int) -> Path:
    """Write the splits of a log for one seed, unless they are there; return their folder.

    Args:
        name: one of ``LOGS``, with ``:ROWS`` behind it for fewer rows.
        folder: where cuts lie.
        seed: draws the rows and the split.
    """
    place = folder / f"{name.replace(':', '-')}-{seed}"
    if (place / "columns.json").is_file():
        return place
    log, _, rows = name.partition(":")
    frame = LOGS[log](np.random.default_rng(seed), folder)
    if rows:
        frame = _sample(frame, int(rows), np.random.default_rng(seed + 1000))
    place.mkdir(parents=True, exist_ok=True)
    for split, part in _splits(frame, np.random.default_rng(seed + 2000)).items():
        part.write_parquet(place / f"{split}.parquet")
    (place / "columns.json").write_text(json.dumps(_kinds(frame)))
    return place


def _splits(frame: pl.DataFrame, rng: np.random.Generator) -> dict[str, pl.DataFrame]:
    """Split at random, or as the log says in its column ``split``."""
    if "split" in frame.columns:
        return {split: frame.filter(pl.col("split") == split).drop("split") for split in _SHARES}
    order, ends = rng.permutation(len(frame)), np.cumsum([round(share * len(frame)) for share in _SHARES.values()])
    parts = np.split(order, ends[:-1])
    return {split: frame[part] for split, part in zip(_SHARES, parts, strict=True)}


def _sample(frame: pl.DataFrame, rows: int, rng: np.random.Generator) -> pl.DataFrame:
    return frame[np.sort(rng.choice(len(frame), min(rows, len(frame)), replace=False))]


def _kinds(frame: pl.DataFrame) -> dict[str, str]:
    """Name the kind of each feature: a list is a sequence, a float a number, all else a category."""
    kinds = {}
    for name, dtype in frame.drop("split", strict=False).schema.items():
        is_list = isinstance(dtype, pl.List)
        kinds[name] = "sequence" if is_list else "numeric" if dtype.is_float() else "categorical"
    return {name: kind for name, kind in kinds.items() if name != LABEL}


def _data() -> Path:
    return Path(os.environ.get("RANKELASTOR_DATA", "../shared/data"))


def _frappe(rng: np.random.Generator, _: Path) -> pl.DataFrame:
    return _sample(pl.read_csv(_data() / "frappe" / "train.csv"), 30_000, rng)


def _ml1m(rng: np.random.Generator, _: Path) -> pl.DataFrame:
    splits = {split: pl.read_parquet(_data() / "ml1m_history" / f"{split}.parquet") for split in _SHARES}
    users = rng.choice(splits["train"]["user_id"].unique().sort().to_numpy(), _USERS, replace=False)
    parts = [
        frame.filter(pl.col("user_id").is_in(users)).with_columns(split=pl.lit(split))
        for split, frame in splits.items()
    ]
    return pl.concat(parts)


def _soso(_rng: np.random.Generator, _: Path) -> pl.DataFrame:
    frame = pl.read_csv(_data() / "soso_clicks" / "clicks.csv", infer_schema=False).drop("impression")
    return frame.rename({"click": LABEL}).with_columns(pl.col(LABEL).cast(pl.Int8))


def _criteo(_rng: np.random.Generator, _: Path) -> pl.DataFrame:
    names = [LABEL, *(f"I{i}" for i in range(1, 14)), *(f"C{i}" for i in range(1, 27))]
    frame = pl.read_csv(
        _data() / "criteo_10k" / "train.txt", separator="\t", has_header=False, new_columns=names, infer_schema=False
    )
    return frame.with_columns(pl.col("^I.*$").cast(pl.Float64), pl.col(LABEL).cast(pl.Int8))


def _avazu(_rng: np.random.Generator, _: Path) -> pl.DataFrame:
    frame = pl.read_csv(_data() / "avazu_10k" / "train.csv", infer_schema=False).drop("id")
    frame = frame.with_columns(hour=pl.col("hour").str.slice(6, 2))
    return frame.rename({"click": LABEL}).with_columns(pl.col(LABEL).cast(pl.Int8))


def _generated(rng: np.random.Generator, folder: Path) -> pl.DataFrame:
    """Generate a log with numbers, in which most of the variance comes from pairs of fields."""
    place = folder / "generated" / f"{rng.integers(2**31)}"
    write_click_log(place, num_rows=20_000, seed=int(rng.integers(2**31)), sizes=_SIZES)
    frame = pl.concat([pl.read_csv(place / f"{split}.csv") for split in _SHARES])
    numbers = pl.col("price", "age", "depth").cast(pl.Float64)
    return frame.rename({SYNTHETIC_LABEL: LABEL}).with_columns(numbers)


def _rare(rng: np.random.Generator, folder: Path) -> pl.DataFrame:
    """Thin the positives of a generated log to a label rate of about .005."""
    frame = _generated(rng, folder)
    keep = (frame[LABEL].to_numpy() == 0) | (rng.random(len(frame)) < 0.015)  # noqa: PLR2004 - of a rate of .25
    return frame.filter(pl.Series(keep))


LOGS: dict[str, Callable[[np.random.Generator, Path], pl.DataFrame]] = {
    "frappe": _frappe,
    "ml1m": _ml1m,
    "soso": _soso,
    "criteo": _criteo,
    "avazu": _avazu,
    "generated": _generated,
    "rare": _rare,
}
