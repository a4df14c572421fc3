"""Worker of loading.py for FuxiCTR's loader, run by the Python with fuxictr: times the loader once per input line.

A line on standard input is the number of worker processes; the answer is one JSON line with rows per second.
The clock starts at the first batch, so that starting the workers and drawing the order are not counted.
"""

# ruff: noqa: T201 - a script that answers on standard output

from __future__ import annotations

import json
import sys
import time
from collections import OrderedDict
from importlib.metadata import version

from fuxictr.features import FeatureMap
from fuxictr.pytorch.dataloaders import RankDataLoader


def main() -> None:
    """Answer requests until the input ends."""
    path, batch_size, num_batches = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    feature_map = FeatureMap("synthetic", ".")
    numeric = {f"I{place}": {"type": "numeric"} for place in range(13)}
    categorical = {f"C{place}": {"type": "categorical"} for place in range(26)}
    feature_map.features = OrderedDict(numeric | categorical)
    feature_map.labels = ["label"]
    feature_map.set_column_index()
    loaders = {}
    print(json.dumps({name: version(name) for name in ("fuxictr", "torch", "numpy")}), flush=True)
    for line in sys.stdin:
        num_workers = int(line)
        if num_workers not in loaders:
            both = RankDataLoader(
                feature_map,
                stage="train",
                train_data=path,
                batch_size=batch_size,
                shuffle=True,
                data_format="npz",
                num_workers=num_workers,
            )
            loaders[num_workers], _ = both.make_iterator()
        print(json.dumps({"rows_per_second": rows_per_second(loaders[num_workers], num_batches)}), flush=True)


def rows_per_second(loader: RankDataLoader, num_batches: int) -> float:
    """Measure the rows per second of the batches after the first."""
    num_rows = 0
    began = None
    for index, batch in enumerate(loader):
        if began is None:
            began = time.perf_counter()
            continue
        num_rows += len(batch["label"])
        if index == num_batches:
            break
    return num_rows / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
