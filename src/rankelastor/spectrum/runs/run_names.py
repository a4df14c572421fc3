"""Names of the runs in a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rankelastor.errors import SettingsError


def distinct_names(folders: Sequence[str | Path]) -> list[str]:
    """Compute the shortest path suffixes that distinguish all folders.

    Example:
        >>> distinct_names(["one/runs/mixer", "one/runs/elastor"])
        ['mixer', 'elastor']
        >>> distinct_names(["one/runs/mixer", "two/runs/mixer"])
        ['one/runs/mixer', 'two/runs/mixer']

    Raises:
        SettingsError: a folder is given twice.
    """
    parts = [Path(folder).resolve().parts for folder in folders]
    for index, path in enumerate(parts):
        if path in parts[:index]:
            raise SettingsError(f"each run must be given once, but {folders[index]} was given twice")
    length = 1
    while len({path[-length:] for path in parts}) < len(parts):
        length += 1
    return ["/".join(path[-length:]) for path in parts]
