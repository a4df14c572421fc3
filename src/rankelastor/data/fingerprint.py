"""Tell whether a prepared folder still fits its settings and its raw files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from typing import Any

from rankelastor.data.features.vector_files import find_vector_files
from rankelastor.data.manifest import FORMAT_VERSION, Manifest, SourceRecord
from rankelastor.data.raw.source_files import SourceFile, find_source_files
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError

_LATER = {"labels", "weight"}


def settings_that_matter(settings: DataSettings) -> dict[str, Any]:
    """The settings as plain values, without the places of the prepared folder and of the raw files."""
    values = settings.model_dump(mode="json", exclude={"prepared": True, "files": {"folder"}})
    # These came later: left out where they say nothing, so that the fingerprints of older folders hold.
    return {name: value for name, value in values.items() if value is not None or name not in _LATER}


def record_sources(
    sources: Iterable[SourceFile],
    known: Sequence[SourceRecord] = (),
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[SourceRecord, ...]:
    """Size, time of change and SHA-256 of each raw file.

    Args:
        sources: the raw files.
        known: earlier records; the bytes of a file whose size and time are unchanged are not read again.
        stopped: is asked again and again, so that a thread need not read a large file to its end in vain.

    Raises:
        DataError: a file cannot be read.
        StoppedError: ``stopped`` said so.
    """
    earlier = {(record.split, record.name): record for record in known}
    return tuple(_record(source, earlier.get((source.split, source.name)), stopped) for source in sources)


def states_of(sources: Iterable[SourceFile]) -> tuple[tuple[int, int], ...]:
    """Size and time of change of each raw file: a file whose state stays is taken not to change.

    Raises:
        DataError: a file cannot be read.
    """
    return tuple(_state(source) for source in sources)


def fingerprint_of(settings: dict[str, Any], sources: Iterable[SourceRecord]) -> str:
    """One hash of the settings that matter, the contents of the sources and the format; times do not count."""
    contents = [(record.split, record.name, record.digest) for record in sources]
    text = json.dumps([FORMAT_VERSION, settings, contents], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Comparison:
    """A prepared folder against the settings and raw files of now.

    Attributes:
        differences: what has changed, a sentence each; empty if the folder still fits.
        sources: the raw files as they are now, as far as they were looked at.
    """

    differences: tuple[str, ...]
    sources: tuple[SourceRecord, ...]


def compare(manifest: Manifest, settings: DataSettings, *, sources_may_be_gone: bool = False) -> Comparison:
    """What has changed since the folder was prepared.

    Args:
        manifest: the prepared folder's.
        settings: the settings of now.
        sources_may_be_gone: raw files that are no longer there are no difference.

    Raises:
        DataError: raw files are missing, unless they may be.
    """
    changed = tuple(_changed("data", manifest.settings, settings_that_matter(settings)))
    if changed:
        return Comparison(changed, manifest.sources)
    try:
        sources = [*find_source_files(settings.files), *find_vector_files(settings.files.folder, settings.vectors)]
    except DataError:
        if sources_may_be_gone:
            return Comparison((), manifest.sources)
        raise
    records = record_sources(sources, manifest.sources)
    return Comparison(tuple(_changed_sources(manifest.sources, records)), records)


def _changed_sources(before: Sequence[SourceRecord], now: Sequence[SourceRecord]) -> Iterator[str]:
    old = {(record.split, record.name): record for record in before}
    new = {(record.split, record.name): record for record in now}
    yield from (f"the raw file {name} is new" for split, name in new if (split, name) not in old)
    yield from (f"the raw file {name} is gone" for split, name in old if (split, name) not in new)
    for key in old.keys() & new.keys():
        if old[key].digest != new[key].digest:
            yield f"the raw file {key[1]} has other contents"
    if list(old) != list(new) and old.keys() == new.keys():
        yield "the raw files stand in another order"


def _changed(path: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in {**before, **now}:
            yield from _changed(f"{path}.{key}", before.get(key), now.get(key))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _changed(f"{path}.{index}", old, new)
    elif before != now:
        yield f"{path} was {_short(before)} and is now {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - a line's width


class StoppedError(Exception):
    """Nobody waits for the result any more."""


@dataclass(frozen=True)
class _Stoppable:
    """A file that is read until ``stopped``."""

    file: BufferedReader
    stopped: Callable[[], bool]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        if self.stopped():
            raise StoppedError
        return self.file.readinto(buffer)


def _record(source: SourceFile, known: SourceRecord | None, stopped: Callable[[], bool]) -> SourceRecord:
    size, modified = _state(source)
    if known is not None and (known.num_bytes, known.modified_ns) == (size, modified):
        return known
    with _explained(source), source.path.open("rb") as file:
        digest = hashlib.file_digest(_Stoppable(file, stopped), "sha256").hexdigest()
    return SourceRecord(split=source.split, name=source.name, num_bytes=size, modified_ns=modified, digest=digest)


def _state(source: SourceFile) -> tuple[int, int]:
    with _explained(source):
        state = source.path.stat()
    return state.st_size, state.st_mtime_ns


@contextmanager
def _explained(source: SourceFile) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{source.path} must be a file that can be read, but {error.strerror}") from error
