"""The size of the example rows of a bundle, told by the file's own description, before any row is read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_MOST_ROWS = 1000
_MOST_VALUES = 10_000_000
_MOST_BYTES = 64 << 20


def find_excess(rows: Path, *, num_rows: int) -> str | None:
    """Say what makes a file of example rows more than a few rows; None if it is what it should be.

    A small file can hold very many rows or long lists of one repeated value, and would fill the memory.

    Args:
        rows: the Parquet file.
        num_rows: the number of rows that it must have.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "rows.parquet"
        ...     pq.write_table(pa.table({"site": ["a"] * 5000}), path)
        ...     find_excess(path, num_rows=5000), find_excess(path, num_rows=100)
        ('it holds 5,000 rows, and at most 1,000 are read', 'it holds 5,000 rows and not 100')
    """
    try:
        described = pq.read_metadata(rows)
    except (pa.ArrowException, OSError, ValueError) as error:
        return f"it cannot be read: {error}"
    if described.num_rows != num_rows:
        return f"it holds {described.num_rows:,} rows and not {num_rows:,}"
    if num_rows > _MOST_ROWS:
        return f"it holds {num_rows:,} rows, and at most {_MOST_ROWS:,} are read"
    groups = [described.row_group(index) for index in range(described.num_row_groups)]
    columns = [group.column(index) for group in groups for index in range(group.num_columns)]
    num_values = sum(column.num_values for column in columns)
    if num_values > _MOST_VALUES:
        return f"its rows hold {num_values:,} values, and at most {_MOST_VALUES:,} are read"
    num_bytes = sum(column.total_uncompressed_size for column in columns)
    return None if num_bytes <= _MOST_BYTES else f"it takes {num_bytes:,} bytes, and at most {_MOST_BYTES:,} are read"
