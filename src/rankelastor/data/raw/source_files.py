"""Find the raw files that the settings name by paths and globs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from glob import escape, glob
from pathlib import Path

from rankelastor.data.raw.file_settings import FileSettings
from rankelastor.errors import DataError
from rankelastor.schema import SPLITS, SplitName
from rankelastor.suggestions import what_lies_near

_MARKS = "*?["


@dataclass(frozen=True)
class SourceFile:
    """A raw file: its split (None: its rows are not yet split) and its path.

    ``name`` is the path relative to the data folder if the file is inside it, so that it is the same on every machine.
    """

    split: SplitName | None
    path: Path
    name: str


def find_source_files(files: FileSettings) -> tuple[SourceFile, ...]:
    """Find the raw files in reading order: by split, then in order of the patterns, matches of a glob by name.

    Raises:
        DataError: a file does not exist, a glob matches nothing, or a file is named twice.
    """
    found = tuple(_find(files))
    first_seen: dict[Path, SourceFile] = {}
    for source in found:
        other = first_seen.setdefault(source.path.resolve(), source)
        if other is not source:
            where = f"files.{other.split or 'all'} and files.{source.split or 'all'}"
            raise DataError(f"a file must be named once, but {source.path} is read for {where}; remove one of them")
    return found


def _find(files: FileSettings) -> Iterator[SourceFile]:
    folder = Path(files.folder)
    if files.all is not None:
        yield from (_source(None, path, folder) for path in _matches(files.all, folder, "all"))
        return
    for split in SPLITS:
        yield from (_source(split, path, folder) for path in _matches(getattr(files, split) or (), folder, split))


def _source(split: SplitName | None, path: Path, folder: Path) -> SourceFile:
    name = path.relative_to(folder) if path.is_relative_to(folder) else path
    return SourceFile(split, path, name.as_posix())


def _matches(patterns: tuple[str, ...], folder: Path, split: str) -> Iterator[Path]:
    for pattern in patterns:
        path = folder / pattern
        if path.is_file():
            yield path
        elif path.is_dir():
            raise DataError(f"files.{split} must name files, but {path} is a folder; try {path}/*")
        elif any(mark in pattern for mark in _MARKS):
            yield from _glob(pattern, folder, split)
        else:
            raise DataError(f"files.{split} must name files, but {path} does not exist; {_look_at(path)}")


def _glob(pattern: str, folder: Path, split: str) -> list[Path]:
    whole = pattern if Path(pattern).is_absolute() else f"{escape(str(folder))}/{pattern}"
    paths = [path for path in sorted(map(Path, glob(whole, recursive=True))) if path.is_file()]  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not paths:
        raise DataError(
            f"files.{split} must match files, but {folder / pattern} matches none; {_look_at(folder / '*')}"
        )
    return paths


def _look_at(path: Path) -> str:
    """Say what lies near a path at which there is no file."""
    advice = "" if path.parent.is_dir() else ": check files.folder"
    return f"{what_lies_near(path)}{advice}"
