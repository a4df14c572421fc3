"""The parts of tables that processes hold, and the files of a checkpoint in which they lie.

.. code-block:: text

    shard-00001-model-00002-of-00005.safetensors  what the first process holds of the second table and its sums
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

PATTERN = "shard-*.safetensors"
"""The files of a checkpoint that hold parts of tables."""


@dataclass(frozen=True)
class TablePart:
    """What a process holds of a table: a rectangle of it.

    Attributes:
        table: index of the table.
        rows: values in the width of the embedding, without padded columns.
        sums: mean squares of each row, summed over the steps so far.
        first_row: place of the first row.
        first_column: first column.
        sum_index: which of the sums of a row these are, where columns are divided.
        num_sums: number of sums of a row.
    """

    table: int
    rows: Tensor
    sums: Tensor
    first_row: int = 0
    first_column: int = 0
    sum_index: int = 0
    num_sums: int = 1


def holds_tables(folder: Path) -> bool:
    """Tell whether a checkpoint has sharded tables."""
    return next(folder.glob(PATTERN), None) is not None
