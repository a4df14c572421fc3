"""What is remembered of a fetched data set, in its folder: where it came from, checksums, accepted terms."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

RECORD_FILE = "dataset.json"
_TERMS_FILE = "accepted_terms.json"


@dataclass(frozen=True)
class AcceptedTerms:
    """The owner's terms as they were shown, and when they were accepted."""

    terms: str
    page: str
    time: str

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """What was accepted before the data were whole; None where nothing was."""
        try:
            return cls(**json.loads((folder / _TERMS_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """Remember it in that folder."""
        (folder / _TERMS_FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class FileRecord:
    """A file as it was checked; ``published``: its md5 sum was compared with a published one."""

    name: str
    num_bytes: int
    modified_ns: int
    md5: str
    published: bool

    @classmethod
    def of(cls, path: Path, md5: str, *, published: bool) -> Self:
        """The file as it is now."""
        state = path.stat()
        return cls(path.name, state.st_size, state.st_mtime_ns, md5, published)


@dataclass(frozen=True)
class Record:
    """All that is remembered; ``source`` and ``terms`` are None where a person brought the files."""

    dataset: str
    source: str | None
    terms: AcceptedTerms | None
    files: tuple[FileRecord, ...]

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The record in a folder; None where there is none that can be read."""
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
        """Remember it in that folder."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (folder / RECORD_FILE).write_text(text + "\n", encoding="utf-8")

    def still_describes(self, folder: Path) -> bool:
        """Whether every file has the size and time of change that it had when it was checked."""
        return all(
            (folder / file.name).is_file()
            and FileRecord.of(folder / file.name, file.md5, published=file.published) == file
            for file in self.files
        )
