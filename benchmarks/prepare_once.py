"""Prepare one Criteo-like file once, in this process, and print seconds, rows and peak memory as JSON."""

# ruff: noqa: T201 - the benchmark reads the output

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
from process_memory import peak_bytes  # in the folder of this script

from rankelastor.cli.this_process import begin_to_work, start_quickly
from rankelastor.data.prepare import prepare
from rankelastor.data.settings import DataSettings


def main() -> None:
    """Prepare the file; arguments: the file, the output folder, and ``split`` to split the data in three."""
    file, folder, split = sys.argv[1:]
    everything = {"all": file, "folder": "/"}
    settings = DataSettings.model_validate(
        {
            "prepared": folder,
            "files": everything if split == "split" else {"folder": "/", "train": file, "valid": f"{file}.valid.csv"},
            "split": {"kind": "random"} if split == "split" else None,
            "label": "label",
            "fields": [{"kind": "numeric", "column": "I*"}, {"kind": "categorical", "column": "C*"}],
        }
    )
    start_quickly()
    begin_to_work()  # as the command `prepare` does once its libraries are imported: Arrow then does without pandas
    start, cpu = time.perf_counter(), time.process_time()
    dataset = prepare(settings)
    seconds = time.perf_counter() - start
    files = dataset.manifest.vocabulary_files.values()
    vocabularies = [Path(folder) / "vocabulary" / file.file for file in files]
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu_seconds": time.process_time() - cpu,
                "num_rows": sum(dataset.manifest.splits[name].num_rows for name in dataset.splits),
                "num_values": sum(feature.num_ids - 2 for feature in dataset.schema.categorical),
                "vocabulary_bytes": sum(path.stat().st_size for path in vocabularies),
                "peak_bytes": peak_bytes(),
                "num_threads": pa.cpu_count(),
                "versions": {name: version(name) for name in ("rankelastor", "pyarrow", "polars", "numpy")},
            }
        )
    )


if __name__ == "__main__":
    main()
