"""Say that raw files lie beside the recipe, where they are looked for from another folder."""

from __future__ import annotations

import logging
from pathlib import Path

from rankelastor.data.raw.file_settings import FileSettings
from rankelastor.places import address_of, in_full
from rankelastor.schema import SPLITS

_logger = logging.getLogger(__name__)


def warn_of_files_beside(files: FileSettings, recipe: Path) -> None:
    """Warn if a file does not exist where it is looked for, counted from the current folder, but beside the recipe.

    Args:
        files: the settings of the raw files.
        recipe: the file of the recipe.
    """
    if Path(files.folder).is_absolute() or address_of(files.folder) is not None:
        return
    patterns = [pattern for name in ("all", *SPLITS) for pattern in getattr(files, name) or ()]
    for pattern in patterns:
        if address_of(pattern) is not None:
            continue
        place = Path(files.folder) / pattern
        beside = recipe.parent / place
        if not place.is_absolute() and not place.exists() and beside.exists():
            _logger.warning(
                "%s does not exist, but %s does, which lies beside the recipe; paths count from the current folder, so "
                "run the command in %s, or set data.files.folder",
                in_full(place), in_full(beside), in_full(recipe.parent),
            )  # fmt: skip
            return
