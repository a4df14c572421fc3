"""List the data files of a folder, as other programs write one data set into many files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rankelastor.errors import DataError
from rankelastor.places import in_full
from rankelastor.remote.remote_path import AnyPath, RemotePath

_TABLE_FORMATS = {"_delta_log": "a Delta Lake", ".hoodie": "a Hudi"}
_ADVICE = "its files alone do not tell which rows are valid; write the table as plain Parquet"


def is_skipped(name: str) -> bool:
    """Tell whether a name marks a file or folder that holds no data: it begins with ``_`` or ``.``.

    Example:
        >>> is_skipped("_SUCCESS"), is_skipped(".part-0.crc"), is_skipped("part-0.parquet")
        (True, True, False)
    """
    return name.startswith(("_", "."))


def data_files(folder: AnyPath, *, what: str, may_be_empty: bool = False) -> list[AnyPath]:
    """List the files in a folder and below, in order of their paths, without names that begin with ``_`` or ``.``.

    Links to folders are followed, each folder once.

    Args:
        folder: the folder.
        what: what the folder was given for, as it begins a message.
        may_be_empty: return an empty list instead of raising if there are no data files.

    Raises:
        DataError: there are no data files, the folder cannot be read, or it is a table of Delta Lake, Iceberg or Hudi.
    """
    if isinstance(folder, RemotePath):
        return _remote_files(folder, what=what, may_be_empty=may_be_empty)
    try:
        found: list[AnyPath] = sorted(_walk(folder, seen=set()))
    except OSError as error:
        raise DataError(f"{what} must name a readable folder, but {error.filename}: {error.strerror}") from error
    if found or may_be_empty:
        return found
    names = sorted(item.name for item in folder.iterdir())
    held = f"only {', '.join(names[:8])}, and names that begin with _ or . are skipped" if names else "nothing"
    raise DataError(f"{what} must name a folder with data files, but {in_full(folder)} holds {held}")


def _remote_files(folder: RemotePath, *, what: str, may_be_empty: bool) -> list[AnyPath]:
    """List the data files at an address, by one listing."""
    below = {file: file.relative_to(folder).parts for file in folder.files_below()}
    for parts in below.values():
        found = next((_TABLE_FORMATS[part] for part in parts[:-1] if part in _TABLE_FORMATS), None)
        if found is None and len(parts) > 1 and parts[-2] == "metadata" and parts[-1].endswith(".metadata.json"):
            found = "an Iceberg"
        if found is not None:
            raise DataError(f"{folder} must be a folder of data files, but is {found} table; {_ADVICE}")
    files: list[AnyPath] = [file for file, parts in below.items() if not any(is_skipped(part) for part in parts)]
    if files or may_be_empty:
        return files
    names = sorted({parts[0] for parts in below.values()})
    held = f"only {', '.join(names[:8])}, and names that begin with _ or . are skipped" if names else "nothing"
    raise DataError(f"{what} must name a folder with data files, but {folder} holds {held}")


def _walk(folder: Path, *, seen: set[tuple[int, int]]) -> Iterator[Path]:
    state = folder.stat()
    if (state.st_dev, state.st_ino) in seen:
        return
    seen.add((state.st_dev, state.st_ino))
    names = os.listdir(folder)  # noqa: PTH208 - names alone are needed
    _refuse_tables(folder, names)
    for name in names:
        path = folder / name
        if is_skipped(name):
            continue
        if path.is_dir():
            yield from _walk(path, seen=seen)
        elif path.is_file():
            yield path


def _refuse_tables(folder: Path, names: list[str]) -> None:
    """Raise if the folder is a table whose files hold rows that were deleted or replaced since."""
    found = next((title for name, title in _TABLE_FORMATS.items() if name in names), None)
    if found is None and "metadata" in names and any((folder / "metadata").glob("*.metadata.json")):
        found = "an Iceberg"
    if found is not None:
        raise DataError(f"{in_full(folder)} must be a folder of data files, but is {found} table; {_ADVICE}")
