"""What the runs of one report are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rankelastor.errors import SettingsError


def distinct_names(folders: Sequence[str | Path]) -> list[str]:
    """The shortest ends of the paths that tell all folders apart.

    Example:
        >>> distinct_names(["one/runs/mixer", "one/runs/elastor"])
        ['mixer', 'elastor']
        >>> distinct_names(["one/runs/mixer", "two/runs/mixer"])
        ['one/runs/mixer', 'two/runs/mixer']

    Raises:
        SettingsError: a folder is given twice.
    """
    parts = [Path(folder).resolve().parts for folder in folders]
    for place, path in enumerate(parts):
        if path in parts[:place]:
            raise SettingsError(f"Each run must be given once, but {folders[place]} was given twice")
    length = 1
    while len({path[-length:] for path in parts}) < len(parts):
        length += 1
    return ["/".join(path[-length:]) for path in parts]
