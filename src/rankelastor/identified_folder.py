"""A folder of long work that is known again by its settings, and that one process at a time writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankelastor.errors import RUN_FOLDER, RunError
from rankelastor.folder_lock import try_to_hold
from rankelastor.storage import explain_storage_errors, whole_file


@contextmanager
def held_alone(path: Path, *, doing: str) -> Iterator[None]:
    """Make a folder, and hold it so that no other process works in it.

    Args:
        path: the folder.
        doing: what a process does that works in it, such as ``tunes``.

    Raises:
        RunError: another process works in it.
    """
    with explain_storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    holder = try_to_hold(path)
    if holder is None:
        raise RunError(f"{path} must be written by one process at a time, but another one {doing} in it now")
    try:
        yield
    finally:
        os.close(holder)


@dataclass(frozen=True)
class IdentifiedFolder:
    """A folder that holds one piece of work, with a file that says which.

    Attributes:
        path: the folder.
        file: name of the file that says what the folder holds.
        format_version: version of its files, which counts too.
        what: what the work is called, such as ``tuning``.
        doing: what a process does that works in it, such as ``tunes``.
    """

    path: Path
    file: str
    format_version: int
    what: str
    doing: str

    @contextmanager
    def opened(self, identity: Mapping[str, Any]) -> Iterator[None]:
        """Make the folder, or check that it holds the same work, and hold it so that no other process writes it.

        Raises:
            RunError: the folder holds something else, or another process works in it.
        """
        with held_alone(self.path, doing=self.doing):
            self._check(json.loads(json.dumps({"format_version": self.format_version, **identity})))
            yield

    def _check(self, identity: Mapping[str, Any]) -> None:
        file = self.path / self.file
        if not file.exists():
            if any(self.path.iterdir()):
                self._refuse("holds something else")
            with whole_file(file) as temporary:
                temporary.write_text(json.dumps(identity, indent=2) + "\n", encoding="utf-8")
            return
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict):
            self._refuse(f"has a damaged {self.file}")
        if differ := [name for name in identity if found.get(name) != identity[name]]:
            self._refuse(f"holds a {self.what} with another {' and '.join(differ)}")

    def _refuse(self, what: str) -> None:
        raise RunError(
            f"a {self.what} must go on in its own folder or begin in a new one, but {self.path} {what}; remove it, or "
            f"name another with {RUN_FOLDER}",
            python=RUN_FOLDER,
        )
