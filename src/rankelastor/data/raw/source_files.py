"""Find the raw files that the settings name by paths, folders and globs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import escape, glob
from pathlib import Path, PurePath

from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.data_folder import data_files, is_skipped
from rankelastor.data.raw.file_settings import FileSettings
from rankelastor.data.raw.partitions import Partitions, partitions_of
from rankelastor.data.raw.rows import is_empty
from rankelastor.errors import DataError
from rankelastor.places import in_full
from rankelastor.remote.remote_path import AnyPath, RemotePath, joined, place_of
from rankelastor.schema import SPLITS, SplitName
from rankelastor.suggestions import what_lies_near

_logger = logging.getLogger(__name__)

_MARKS = "*?["
_MOST_SHOWN = 8


@dataclass(frozen=True)
class SourceFile:
    """A raw file: its split (None: its rows are not yet split) and its path.

    ``name`` is the path relative to the data folder if the file is inside it, so that it is the same on every machine;
    else the path or the address.
    """

    split: SplitName | None
    path: AnyPath
    name: str

    @property
    def partitions(self) -> Partitions:
        """The columns that folders called ``NAME=VALUE`` give the rows of the file."""
        return partitions_of(self.name)


def find_source_files(files: FileSettings) -> tuple[SourceFile, ...]:
    """Find the raw files in reading order: by split, then in order of the patterns, matches of each by name.

    A folder stands for the data files in it and below. Names that begin with ``_`` or ``.`` are skipped in folders and
    by globs, as other programs do with ``_SUCCESS`` and ``.part-0.crc``.

    Raises:
        DataError: a file does not exist, a folder holds no data files, a glob matches nothing, a file is named twice,
            or an address cannot be opened.
        RemoteError: an address cannot be reached.
    """
    found = tuple(_find(files))
    first_seen: dict[AnyPath, SourceFile] = {}
    for source in found:
        other = first_seen.setdefault(source.path.resolve(), source)
        if other is not source:
            where = f"files.{other.split or 'all'} and files.{source.split or 'all'}"
            raise DataError(f"a file must be named once, but {source.path} is read for {where}; remove one of them")
    return found


def without_empty(sources: Sequence[SourceFile], csv: CsvSettings) -> tuple[SourceFile, ...]:
    """Leave out the files that hold nothing, with a warning that names them.

    The files of a split all of which hold nothing are kept, so that reading them says so.

    Raises:
        DataError: a file is missing, not readable, or of a format that is not read.
    """
    empty = {source.path for source in sources if is_empty(source.path, csv)}
    held = {source.split for source in sources if source.path not in empty}
    empty = {source.path for source in sources if source.path in empty and source.split in held}
    if empty:
        names = sorted(str(path) for path in empty)
        what = "1 file holds no rows and is" if len(names) == 1 else f"{len(names)} files hold no rows and are"
        _logger.warning("%s skipped: %s", what, _shorten(names))
    return tuple(source for source in sources if source.path not in empty)


def _find(files: FileSettings) -> Iterator[SourceFile]:
    folder = place_of(files.folder, what="files.folder", error=DataError)
    if files.all is not None:
        yield from (_source(None, path, folder) for path in _matches(files.all, folder, "all"))
        return
    for split in SPLITS:
        yield from (_source(split, path, folder) for path in _matches(getattr(files, split) or (), folder, split))


def _source(split: SplitName | None, path: AnyPath, folder: AnyPath) -> SourceFile:
    if isinstance(path, RemotePath):
        inside = isinstance(folder, RemotePath) and path.is_relative_to(folder)
        return SourceFile(split, path, path.relative_to(folder).as_posix() if inside else str(path))  # type: ignore[arg-type] # it is remote
    name = path.relative_to(folder) if isinstance(folder, Path) and path.is_relative_to(folder) else path
    return SourceFile(split, path, name.as_posix())


def _matches(patterns: tuple[str, ...], folder: AnyPath, split: str) -> Iterator[AnyPath]:
    for pattern in patterns:
        path = joined(folder, pattern, what=f"files.{split}", error=DataError)
        if isinstance(path, RemotePath):
            yield from _remote_matches(path, split)
        elif path.is_file():
            yield path
        elif path.is_dir():
            yield from data_files(path, what=f"files.{split}")
        elif any(mark in pattern for mark in _MARKS):
            yield from _glob(pattern, Path(str(folder)), split)
        else:
            advice = _advice(path, pattern, Path(str(folder)))
            raise DataError(f"files.{split} must name files, but {in_full(path)} does not exist; {advice}")


def _remote_matches(path: RemotePath, split: str) -> list[AnyPath]:
    """List what a pattern at an address names: a file, the data files of a folder, or of all that matches."""
    if path.is_file():
        return [path]
    if not any(mark in path.key for mark in _MARKS):
        if path.is_dir():
            return data_files(path, what=f"files.{split}")
        path.require_bucket()
        raise DataError(f"files.{split} must name files, but there is nothing at {path}; {_lies_near(path)}")
    matches = path.glob_below()
    wanted = [match for match in matches if not _is_hidden(PurePath(*match.parts), str(PurePath(*path.parts)))]
    found = sorted(dict.fromkeys(_remote_files_of(wanted, split)))
    if found:
        return list(found)
    if matches and not wanted:
        raise _matches_hidden_names(path, matches, split)
    path.require_bucket()
    raise DataError(f"files.{split} must match files, but {path} matches none; {_lies_near(path)}")


def _remote_files_of(matches: Sequence[RemotePath], split: str) -> Iterator[RemotePath]:
    """Yield the files among the matches, and those in folders of data sets, as ``_files_of`` does on a disk."""
    held: dict[RemotePath, list[AnyPath]] = {}
    for path in matches:
        if not any(path.is_relative_to(folder) and path != folder for folder in held):
            held[path] = [path] if path.is_file() else data_files(path, what=f"files.{split}", may_be_empty=True)
    any_file = any(files == [path] for path, files in held.items())
    for path, files in held.items():
        if files == [path] or not any_file or _looks_like_data(path):
            yield from (file for file in files if isinstance(file, RemotePath))


def _lies_near(path: RemotePath) -> str:
    """Say what lies in the nearest folder above that has anything in it."""
    folder = path.parent
    while folder.key and (any(mark in folder.key for mark in _MARKS) or not folder.exists()):
        folder = folder.parent
    names = folder.names()
    return f"{folder} has {_shorten(names)}" if names else f"{folder} is empty"


def _glob(pattern: str, folder: Path, split: str) -> list[AnyPath]:
    whole = pattern if Path(pattern).is_absolute() else f"{escape(str(folder))}/{pattern}"
    matches = sorted(map(Path, glob(whole, recursive=True)))  # noqa: PTH207 - Path.glob takes no absolute pattern
    wanted = [path for path in matches if not _is_hidden(path, whole)]
    paths = list(dict.fromkeys(_files_of(wanted, split)))
    if paths:
        return sorted(paths)
    if matches and not wanted:
        raise _matches_hidden_names(in_full(folder / pattern), matches, split)
    raise DataError(
        f"files.{split} must match files, but {in_full(folder / pattern)} matches none; "
        f"{_advice(folder / '*', pattern, folder)}"
    )


def _matches_hidden_names(pattern: object, matches: Sequence[AnyPath], split: str) -> DataError:
    """Say that all that a pattern matches is skipped."""
    return DataError(
        f"files.{split} must match data files, but {pattern} matches only "
        f"{_shorten([each.name for each in matches])}, and names that begin with _ or . are skipped; name the files "
        "one by one"
    )


def _files_of(matches: Sequence[Path], split: str) -> Iterator[AnyPath]:
    """Yield the files among the matches, and those in folders of data sets; in any folder if no match is a file."""
    files = [path for path in matches if path.is_file()]
    yield from files
    for path in matches:
        if path.is_dir() and (not files or _looks_like_data(path)):
            yield from data_files(path, what=f"files.{split}", may_be_empty=True)


def _looks_like_data(folder: AnyPath) -> bool:
    return "=" in folder.name or folder.suffix.lower() in {".parquet", ".csv", ".tsv", ".orc", ".feather", ".arrow"}


def _is_hidden(path: PurePath, pattern: str) -> bool:
    """Tell whether a match is to be skipped: a part that a mark matched begins with ``_`` or ``.``, unasked for."""
    wanted = PurePath(pattern).parts
    fixed = next(index for index, part in enumerate(wanted) if any(mark in part for mark in _MARKS))
    asked_for = {part[0] for part in wanted[fixed:]}
    return any(is_skipped(part) and part[0] not in asked_for for part in path.parts[fixed:])


def _shorten(names: Sequence[str]) -> str:
    more = len(names) - _MOST_SHOWN
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _advice(path: Path, pattern: str, folder: Path) -> str:
    """Say what lies near a path at which there is no file, and from where a relative one counts."""
    place = Path(in_full(path))
    near = what_lies_near(place) + ("" if place.parent.is_dir() else ": check files.folder")
    counts = _counts_from(pattern, folder)
    if not counts:
        return near
    return f"{near} {counts}" if near.endswith("?") else f"{near}. {counts}"


def _counts_from(pattern: str, folder: Path) -> str:
    """Say from where a relative path counts; empty for an absolute one."""
    if Path(pattern).is_absolute():
        return ""
    if folder == Path():
        return f"Paths count from the current folder, {in_full(folder)}; files.folder sets another"
    relative = "" if folder.is_absolute() else f", which counts from the current folder, {in_full('')}"
    return f"Paths count from files.folder, {folder}{relative}"
