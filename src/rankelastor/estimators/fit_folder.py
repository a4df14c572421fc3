"""The folder of a fit: rows, prepared data and run, in a place of the user's or in a temporary one."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

from rankelastor.errors import StorageError
from rankelastor.places import in_full
from rankelastor.storage import explain_storage_errors


class FitFolder:
    """Makes the folder of one fit; a temporary one is removed with the last reference to this object.

    Example:
        >>> place = FitFolder(None)
        >>> folder = place.make()
        >>> folder.is_dir()
        True
        >>> del place
        >>> folder.exists()
        False
    """

    def __init__(self, named: str | Path | None) -> None:
        self._named = None if named is None else Path(named)

    def make(self) -> Path:
        """Make the folder, and return it in full.

        Raises:
            StorageError: the user named something that is no empty folder, or it cannot be written.
        """
        if self._named is None:
            with explain_storage_errors(Path(tempfile.gettempdir())):
                folder = Path(tempfile.mkdtemp(prefix="rankelastor-fit-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            return folder
        with explain_storage_errors(self._named):
            if self._named.exists() and not (self._named.is_dir() and not any(self._named.iterdir())):
                what = "holds files" if self._named.is_dir() else "is a file"
                raise StorageError(
                    f"folder must be a new or empty folder for each fit, but {in_full(self._named)} {what}; name "
                    "another, remove it, or leave folder out, as in searches and cross validation, which fit many times"
                )
            self._named.mkdir(parents=True, exist_ok=True)
        return self._named.resolve()
