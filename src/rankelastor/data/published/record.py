"""The record in the folder of a fetched data set: its source, checksums and accepted terms."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

RECORD_FILE = "dataset.json"
_TERMS_FILE = "accepted_terms.json"


@dataclass(frozen=True)
class AcceptedTerms:
    """The terms of the owner as they were shown, and the time when they were accepted."""

    terms: str
    page: str
    time: str

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read the terms accepted before the data were complete; None if there are none."""
        try:
            return cls(**json.loads((folder / _TERMS_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """Write the accepted terms to a folder."""
        (folder / _TERMS_FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class FileRecord:
    """State of a file when it was checked; ``published``: its md5 sum was compared with the published one."""

    name: str
    num_bytes: int
    modified_ns: int
    md5: str
    published: bool

    @classmethod
    def from_file(cls, path: Path, md5: str, *, published: bool) -> Self:
        """Record the current state of a file."""
        state = path.stat()
        return cls(path.name, state.st_size, state.st_mtime_ns, md5, published)


@dataclass(frozen=True)
class Record:
    """The record of a data set; ``source`` and ``terms`` are None if the user copied the files there."""

    dataset: str
    source: str | None
    terms: AcceptedTerms | None
    files: tuple[FileRecord, ...]

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read the record of a folder; None if it has none or it cannot be read."""
        try:
            values = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
            return cls(
                dataset=values["dataset"],
                source=values["source"],
                terms=AcceptedTerms(**values["terms"]) if values["terms"] else None,
                files=tuple(FileRecord(**file) for file in values["files"]),
            )
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, folder: Path) -> None:
        """Write the record to the folder of the data set."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (folder / RECORD_FILE).write_text(text + "\n", encoding="utf-8")

    def still_describes(self, folder: Path) -> bool:
        """Tell whether every file still has the size and modification time that it had when it was checked."""
        return all(
            (folder / file.name).is_file()
            and FileRecord.from_file(folder / file.name, file.md5, published=file.published) == file
            for file in self.files
        )
