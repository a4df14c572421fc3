"""Tell whether a prepared folder is still up to date with its settings and its raw files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from rankelastor.data.features.vector_files import find_vector_files
from rankelastor.data.manifest import Manifest, SourceRecord
from rankelastor.data.raw.source_files import SourceFile, find_source_files
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError
from rankelastor.remote.failures import explain_native

_CONTENT_VERSION = 2
"""Rises when the same files and settings give other rows; checksums (format version 3) did not change them."""
_LATER = {
    "labels": None,
    "weight": None,
    "text": "canonical",
    "unit": None,
    "infinite": "refuse",
    "decimal": ".",
    "thousands": None,
    "serving_value": None,
    "last": 0,
    "matches": None,
}
"""Settings that were added later, and the values that leave everything as it was."""


def relevant_settings(settings: DataSettings) -> dict[str, Any]:
    """Dump the settings on which the contents of a prepared folder depend as plain values."""
    # Paths, and a correction of scores, change neither rows nor vocabularies.
    values = settings.model_dump(mode="json", exclude={"prepared": True, "files": {"folder"}, "negatives_kept": True})
    plain: dict[str, Any] = _without_unset(values)
    return plain


def _without_unset(values: Any) -> Any:
    """Leave out settings that were added later while they are unset, so that older fingerprints stay valid."""
    if isinstance(values, list):
        return [_without_unset(value) for value in values]
    if not isinstance(values, dict):
        return values
    kept = {name: value for name, value in values.items() if name not in _LATER or value != _LATER[name]}
    # The keys of ``labels`` are names of tasks and no settings.
    return {name: value if name == "labels" else _without_unset(value) for name, value in kept.items()}


def record_sources(
    sources: Iterable[SourceFile],
    known: Sequence[SourceRecord] = (),
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[SourceRecord, ...]:
    """Record size, modification time and SHA-256 of each raw file.

    Args:
        sources: the raw files.
        known: earlier records; a file whose size and time are unchanged is not read again.
        stopped: called between reads; if it returns True, hashing a large file ends early.

    Raises:
        DataError: a file cannot be read.
        StoppedError: ``stopped`` returned True.
    """
    earlier = {(record.split, record.name): record for record in known}
    return tuple(_record(source, earlier.get((source.split, source.name)), stopped) for source in sources)


def file_states(sources: Iterable[SourceFile]) -> tuple[tuple[int, int], ...]:
    """Read size and modification time of each raw file; a file is assumed unchanged while both stay the same.

    Raises:
        DataError: a file cannot be read.
    """
    return tuple(_state(source) for source in sources)


def compute_fingerprint(settings: dict[str, Any], sources: Iterable[SourceRecord]) -> str:
    """Hash the settings that matter, the contents of the sources and ``_CONTENT_VERSION``; times do not count."""
    contents = [(record.split, record.name, record.digest) for record in sources]
    text = json.dumps([_CONTENT_VERSION, settings, contents], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Comparison:
    """Result of comparing a prepared folder with the current settings and raw files.

    Attributes:
        differences: one clause per change; empty if the folder is up to date.
        sources: current records of the raw files; the old ones if the files were not read.
    """

    differences: tuple[str, ...]
    sources: tuple[SourceRecord, ...]


def compare(manifest: Manifest, settings: DataSettings, *, sources_may_be_gone: bool = False) -> Comparison:
    """List what has changed since the folder was prepared.

    Args:
        manifest: the manifest of the prepared folder.
        settings: the current settings.
        sources_may_be_gone: do not count missing raw files as a difference.

    Raises:
        DataError: raw files are missing and ``sources_may_be_gone`` is False.
    """
    changed = tuple(_find_changes("data", manifest.settings, relevant_settings(settings)))
    if changed:
        return Comparison(changed, manifest.sources)
    try:
        sources = [*find_source_files(settings.files), *find_vector_files(settings.files.folder, settings.vectors)]
    except DataError:
        if sources_may_be_gone:
            return Comparison((), manifest.sources)
        raise
    records = record_sources(sources, manifest.sources)
    return Comparison(tuple(_find_changed_sources(manifest.sources, records)), records)


def _find_changed_sources(before: Sequence[SourceRecord], now: Sequence[SourceRecord]) -> Iterator[str]:
    old = {(record.split, record.name): record for record in before}
    new = {(record.split, record.name): record for record in now}
    yield from (f"the raw file {name} is new" for split, name in new if (split, name) not in old)
    yield from (f"the raw file {name} is gone" for split, name in old if (split, name) not in new)
    for key in old.keys() & new.keys():
        if old[key].digest != new[key].digest:
            yield f"the raw file {key[1]} has other contents"
    if list(old) != list(new) and old.keys() == new.keys():
        yield "the raw files are in another order"


def _find_changes(path: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in {**before, **now}:
            yield from _find_changes(f"{path}.{key}", before.get(key), now.get(key))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _find_changes(f"{path}.{index}", old, new)
    elif before != now:
        yield f"{path} was {_short(before)} and is now {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - a line's width


class StoppedError(Exception):
    """Hashing was stopped because the result is no longer needed."""


@dataclass(frozen=True)
class _Stoppable:
    """A file whose reads raise ``StoppedError`` once ``stopped`` returns True."""

    file: IO[bytes]
    stopped: Callable[[], bool]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        if self.stopped():
            raise StoppedError
        read: int = self.file.readinto(buffer)  # type: ignore[attr-defined] # files opened to read bytes have it
        return read


def _record(source: SourceFile, known: SourceRecord | None, stopped: Callable[[], bool]) -> SourceRecord:
    size, modified = _state(source)
    if known is not None and (known.num_bytes, known.modified_ns) == (size, modified):
        return known
    with _explain_errors(source), source.path.open("rb") as file:
        digest = hashlib.file_digest(_Stoppable(file, stopped), "sha256").hexdigest()
    return SourceRecord(split=source.split, name=source.name, num_bytes=size, modified_ns=modified, digest=digest)


def _state(source: SourceFile) -> tuple[int, int]:
    with _explain_errors(source):
        state = source.path.stat()
    return state.st_size, state.st_mtime_ns


@contextmanager
def _explain_errors(source: SourceFile) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        explain_native(source.path, error)
        raise DataError(f"{source.path} must be a readable file, but {error.strerror}") from error
