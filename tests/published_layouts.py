"""Made-up files in the layout of the published data sets: the same columns, headers, separators and file names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import polars as pl

NUM_ITEMS = 40
ROWS = {"train": 600, "valid": 120, "test": 120}

Column = Callable[[np.random.Generator, int], list[object]]


def _ids(name: str, count: int) -> Column:
    return lambda random, rows: [f"{name}{value}" for value in random.integers(count, size=rows)]


def _numbers(count: int) -> Column:
    return lambda random, rows: list(random.integers(count, size=rows).tolist())


def _scaled(random: np.random.Generator, rows: int) -> list[object]:
    return [round(value, 6) for value in random.random(rows).tolist()]


def _history(longest: int, count: int) -> Column:
    def history(random: np.random.Generator, rows: int) -> list[object]:
        lengths = random.integers(0, longest + 20, size=rows)
        return ["^".join(map(str, random.integers(count, size=length))) for length in lengths]

    return history


def _hours(random: np.random.Generator, rows: int) -> list[object]:
    days, hours = random.integers(21, 31, size=rows), random.integers(24, size=rows)
    return [f"1410{day}{hour:02}" for day, hour in zip(days, hours, strict=True)]


_AVAZU = [
    "C1",
    "banner_pos",
    "site_id",
    "site_domain",
    "site_category",
    "app_id",
    "app_domain",
    "app_category",
    "device_id",
    "device_ip",
    "device_model",
    "device_type",
    "device_conn_type",
    "C14",
    "C15",
    "C16",
    "C17",
    "C18",
    "C19",
    "C20",
    "C21",
]
_TAOBAO = [
    "userid",
    "cms_segid",
    "cms_group_id",
    "final_gender_code",
    "age_level",
    "pvalue_level",
    "shopping_level",
    "occupation",
    "new_user_class_level",
    "adgroup_id",
    "cate_id",
    "campaign_id",
    "customer",
    "brand",
    "pid",
    "btag",
]
_FRAPPE = ["user", "item", "daytime", "weekday", "isweekend", "homework", "cost", "weather", "country", "city"]
_LABEL = _numbers(2)

LAYOUTS: dict[str, dict[str, Column]] = {
    "Criteo_x1": {
        "label": _LABEL,
        **{f"I{index}": _scaled for index in range(1, 14)},
        **{f"C{index}": _numbers(1000) for index in range(1, 27)},
    },
    "Avazu_x4": {
        "id": _numbers(10**9),
        "click": _LABEL,
        "hour": _hours,
        **{name: _ids(name, 30) for name in _AVAZU},
    },
    "KuaiVideo_x1": {
        "timestamp": _numbers(10**6),
        "user_id": _numbers(20),
        "item_id": _numbers(NUM_ITEMS),
        "is_click": _LABEL,
        "is_like": _LABEL,
        "is_follow": _LABEL,
        "pos_items": _history(100, NUM_ITEMS),
        "neg_items": _history(100, NUM_ITEMS),
    },
    "TaobaoAd_x1": {
        "clk": _LABEL,
        **{name: _numbers(20) for name in _TAOBAO},
        "price": _numbers(500),
        "cate_his": _history(50, 20),
        "brand_his": _history(50, 20),
        "btag_his": _history(50, 4),
    },
    "Frappe_x1": {"label": _LABEL, **{name: _numbers(50) for name in _FRAPPE}},
    "MovielensLatest_x1": {"label": _LABEL, **{name: _numbers(50) for name in ("user_id", "item_id", "tag_id")}},
}
WITHOUT_VALID = {"KuaiVideo_x1", "TaobaoAd_x1"}


def write_layout(dataset_id: str, folder: Path) -> Path:
    """Write the files of the data set, made up, to ``folder/<dataset_id>`` and return that folder."""
    target = folder / dataset_id
    target.mkdir(parents=True)
    random = np.random.default_rng(7)
    for split, rows in ROWS.items():
        if split == "valid" and dataset_id in WITHOUT_VALID:
            continue
        columns = {name: make(random, rows) for name, make in LAYOUTS[dataset_id].items()}
        pl.DataFrame(columns).write_csv(target / f"{split}.csv")
    if dataset_id == "KuaiVideo_x1":
        with h5py.File(target / "item_visual_emb_dim64.h5", "w") as file:
            file.create_dataset("key", data=np.arange(NUM_ITEMS))
            file.create_dataset("value", data=random.normal(size=(NUM_ITEMS, 64)).astype(np.float32))
    return target
