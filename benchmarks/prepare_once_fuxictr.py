"""Prepare one Criteo-like file once with fuxictr, in its own environment, and print seconds, rows and peak memory."""

# ruff: noqa: T201 - the benchmark reads the output

from __future__ import annotations

import json
import os
import sys
import time
from importlib.metadata import version

from fuxictr.preprocess import FeatureProcessor, build_dataset
from process_memory import peak_bytes  # in the folder of this script


def main() -> None:
    """Prepare the file; arguments: the file and the output folder."""
    file, folder = sys.argv[1:3]
    numbers, categories = [f"I{number}" for number in range(1, 14)], [f"C{number}" for number in range(1, 27)]
    start, cpu = time.perf_counter(), os.times()
    processor = FeatureProcessor(
        feature_cols=[
            {"name": numbers, "active": True, "dtype": "float", "type": "numeric", "fill_na": 0},
            {"name": categories, "active": True, "dtype": "str", "type": "categorical", "fill_na": ""},
        ],
        label_col={"name": "label", "dtype": "float"},
        dataset_id="criteo_like",
        data_root=folder,
    )
    build_dataset(processor, train_data=file, valid_data=f"{file}.valid.csv", data_format="csv", min_categr_count=1)
    seconds, spent = time.perf_counter() - start, os.times()
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu_seconds": sum(spent[:4]) - sum(cpu[:4]),
                "peak_bytes": peak_bytes(),
                "versions": {name: version(name) for name in ("fuxictr", "pandas", "polars", "numpy")},
            }
        )
    )


if __name__ == "__main__":
    main()
