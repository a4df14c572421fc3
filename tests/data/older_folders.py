"""Prepared folders as earlier versions wrote them, without checksums, and damage in their shards."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa


def make_older(folder: Path, *, format_version: int = 2) -> None:
    """Turn a prepared folder, or the features of a run, into one of a version that knew no checksums."""
    values = json.loads((folder / "schema.json").read_text())
    del values["checksums"], values["digest"]
    (folder / "schema.json").write_text(json.dumps(values | {"format_version": format_version}))


def change_cell(shard: Path, column: str, value: float) -> None:
    """Put a value into the last cell of a column of a shard."""
    with pa.OSFile(str(shard)) as file:
        table = pa.ipc.open_file(file).get_batch(0)
    place = table.schema.names.index(column)
    cells = table.column(place)
    width = cells.type.list_size if pa.types.is_fixed_size_list(cells.type) else 1
    numbers = np.array(cells.flatten() if width > 1 or column != "label" else cells)
    numbers[-1] = value
    changed = pa.array(numbers) if column == "label" else pa.FixedSizeListArray.from_arrays(pa.array(numbers), width)
    columns = [changed if index == place else each for index, each in enumerate(table.columns)]
    batch = pa.RecordBatch.from_arrays(columns, names=table.schema.names)
    with pa.OSFile(str(shard), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
